package sign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"
)

// The keys and the signature in testdata were made with the openssl command
// line: openssl dgst -sha256 -sign key_pkcs8.pem envelope_base.txt | base64.
// They protect nothing.
func testdata(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestEnvelopeBase(t *testing.T) {
	t.Parallel()
	fields := []Field{
		{"ver", "1"}, {"sign", "skip"}, {"requestBody", "{'partnerId':'1864','memberId':'115632749214110108'\n\n\t,'mobile':'15623261994','showScoreSwitch':'1','showCouponSwitch':'1'}"},
		{"partnerId", "1864"}, {"appId", "2eb5c8f1170246429755e6dac313f89d"},
	}
	if got, want := EnvelopeBase(fields), testdata(t, "envelope_base.txt"); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if fields[0].Name != "ver" {
		t.Error("the caller's fields were sorted in place")
	}
	for _, c := range []struct {
		fields []Field
		want   string
	}{
		{nil, ""},
		{[]Field{{"sign", "x"}}, ""},
		{[]Field{{"b", ""}, {"B", "1"}, {"a_", "2"}, {"aa", "3"}, {"sign", "x"}}, "B=1&a_=2&aa=3&b="},
		{[]Field{{"ver", "1"}, {"statusCode", "100"}, {"responseBody", ""}, {"message", "成功"}}, "message=成功&responseBody=&statusCode=100&ver=1"},
	} {
		if got := EnvelopeBase(c.fields); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestEnvelopeVector(t *testing.T) {
	t.Parallel()
	key, err := ParsePrivateKey(testdata(t, "key_pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := ParsePublicKey(testdata(t, "public_spki.pem"))
	if err != nil {
		t.Fatal(err)
	}
	base, broken := testdata(t, "envelope_base.txt"), testdata(t, "envelope_signature.txt")
	oneLine := strings.ReplaceAll(broken, "\n", "")
	if got, err := SignEnvelope(base, key); got != oneLine || err != nil {
		t.Errorf("signature %s, %v", got, err)
	}
	if len(oneLine) != 344 {
		t.Errorf("signature has %d characters, the documents' have 344", len(oneLine))
	}
	for name, signature := range map[string]string{"one line": oneLine, "lines": broken, "CRLF": strings.ReplaceAll(broken, "\n", "\r\n"), "tabs": "\t" + oneLine + " "} {
		if !VerifyEnvelope(base, signature, public) {
			t.Errorf("%s: refused", name)
		}
	}
	other, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	flipped, _ := base64.StdEncoding.DecodeString(oneLine)
	flipped[100] ^= 1
	for name, ok := range map[string]bool{
		"other base":   VerifyEnvelope(base+" ", oneLine, public),
		"other key":    VerifyEnvelope(base, oneLine, &other.PublicKey),
		"no key":       VerifyEnvelope(base, oneLine, nil),
		"skip":         VerifyEnvelope(base, "skip", public),
		"sign":         VerifyEnvelope(base, "sign", public),
		"empty":        VerifyEnvelope(base, "", public),
		"not Base64":   VerifyEnvelope(base, "!"+oneLine[1:], public),
		"cut":          VerifyEnvelope(base, oneLine[:340], public),
		"one bit":      VerifyEnvelope(base, base64.StdEncoding.EncodeToString(flipped), public),
		"twice":        VerifyEnvelope(base, oneLine+oneLine, public),
		"far too long": VerifyEnvelope(base, oneLine+strings.Repeat("\n", 4096), public),
	} {
		if ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestKeyForms(t *testing.T) {
	t.Parallel()
	key, err := ParsePrivateKey(testdata(t, "key_pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := EncodePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := EncodePublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1, _ := pem.Decode([]byte(testdata(t, "key_pkcs1.pem")))
	for name, text := range map[string]string{
		"encoded": private, "wrapped": wrap(private), "indented": strings.ReplaceAll(wrap(private), "\n", "\n\t "), "PKCS#1 PEM": testdata(t, "key_pkcs1.pem"),
		"PKCS#1 Base64": base64.StdEncoding.EncodeToString(pkcs1.Bytes), "text before PEM": "my key\n" + testdata(t, "key_pkcs8.pem"),
		"public first": testdata(t, "public_spki.pem") + testdata(t, "key_pkcs8.pem"),
	} {
		if got, err := ParsePrivateKey(text); err != nil || !got.Equal(key) {
			t.Errorf("private, %s: %v", name, err)
		}
	}
	spki, _ := pem.Decode([]byte(testdata(t, "public_spki.pem")))
	if public != base64.StdEncoding.EncodeToString(spki.Bytes) {
		t.Error("EncodePublicKey differs from openssl's SubjectPublicKeyInfo")
	}
	for name, text := range map[string]string{
		"encoded": public, "wrapped": wrap(public), "SPKI PEM": testdata(t, "public_spki.pem"), "PKCS#1 PEM": testdata(t, "public_pkcs1.pem"),
	} {
		if got, err := ParsePublicKey(text); err != nil || !got.Equal(&key.PublicKey) {
			t.Errorf("public, %s: %v", name, err)
		}
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecPrivate, _ := x509.MarshalPKCS8PrivateKey(ec)
	ecPublic, _ := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	for _, c := range []struct {
		name, private, public string
		want                  error
	}{
		{"1024 bits", testdata(t, "weak_1024.pem"), testdata(t, "weak_1024_public.pem"), ErrKeySize},
		{"empty", "", "", ErrNotKey},
		{"blanks", " \n", " \n", ErrNotKey},
		{"words", "hello", "hello", ErrNotKey},
		{"Base64 of nothing", "aGVsbG8=", "aGVsbG8=", ErrNotKey},
		{"elliptic", base64.StdEncoding.EncodeToString(ecPrivate), base64.StdEncoding.EncodeToString(ecPublic), ErrNotKey},
		{"swapped", public, private, ErrNotKey},
		{"swapped PEM", testdata(t, "public_spki.pem"), testdata(t, "key_pkcs8.pem"), ErrNotKey},
		{"cut", private[:len(private)-8], public[:len(public)-8], ErrNotKey},
		{"PEM cut", testdata(t, "key_pkcs8.pem")[:900], testdata(t, "public_spki.pem")[:300], ErrNotKey},
	} {
		if _, err := ParsePrivateKey(c.private); !errors.Is(err, c.want) {
			t.Errorf("private, %s: %v", c.name, err)
		}
		if _, err := ParsePublicKey(c.public); !errors.Is(err, c.want) {
			t.Errorf("public, %s: %v", c.name, err)
		}
	}
}

func TestGenerateKey(t *testing.T) {
	t.Parallel()
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if key.N.BitLen() != 2048 {
		t.Errorf("%d bits", key.N.BitLen())
	}
	signature, err := SignEnvelope("a=1", key)
	if err != nil || !VerifyEnvelope("a=1", signature, &key.PublicKey) {
		t.Errorf("own signature refused: %v", err)
	}
}

// wrap breaks Base64 into lines of 64, as many tools print it.
func wrap(text string) string {
	var b strings.Builder
	for len(text) > 64 {
		b.WriteString(text[:64] + "\r\n")
		text = text[64:]
	}
	return b.String() + text + "\n"
}

func BenchmarkVerifyEnvelope(b *testing.B) {
	public, err := ParsePublicKey(testdata(b, "public_spki.pem"))
	if err != nil {
		b.Fatal(err)
	}
	base, signature := testdata(b, "envelope_base.txt"), testdata(b, "envelope_signature.txt")
	b.ReportAllocs()
	for b.Loop() {
		if !VerifyEnvelope(base, signature, public) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkSignEnvelope(b *testing.B) {
	key, err := ParsePrivateKey(testdata(b, "key_pkcs8.pem"))
	if err != nil {
		b.Fatal(err)
	}
	base := testdata(b, "envelope_base.txt")
	for b.Loop() {
		if _, err := SignEnvelope(base, key); err != nil {
			b.Fatal(err)
		}
	}
}
