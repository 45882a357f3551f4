package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

func generate(t testing.TB) *Keys {
	t.Helper()
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rotate(t testing.TB, k *Keys) *Keys {
	t.Helper()
	r, err := k.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSealOpensOnlyInItsScope(t *testing.T) {
	t.Parallel()
	k := generate(t)
	text, err := k.Seal([]byte("13800138000"), "m", "42", "phone")
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := base64.StdEncoding.DecodeString(text); err != nil || bytes.Contains(raw, []byte("138001")) || raw[0] != 1 {
		t.Fatalf("sealed text %q: want Base64 of a Tink ciphertext, err %v", text, err)
	}
	again, _ := k.Seal([]byte("13800138000"), "m", "42", "phone")
	if again == text {
		t.Error("sealing twice gave the same text")
	}
	cases := []struct {
		name  string
		key   *Keys
		text  string
		scope []string
		want  error
	}{
		{"same", k, text, []string{"m", "42", "phone"}, nil},
		{"other member", k, text, []string{"m", "43", "phone"}, ErrOpen},
		{"other column", k, text, []string{"m", "42", "name"}, ErrOpen},
		{"shorter scope", k, text, []string{"m", "42"}, ErrOpen},
		{"other key", generate(t), text, []string{"m", "42", "phone"}, ErrOpen},
		{"damaged", k, text[:len(text)-4] + "AAAA", []string{"m", "42", "phone"}, ErrOpen},
		{"not Base64", k, "*", []string{"m", "42", "phone"}, ErrOpen},
		{"empty", k, "", []string{"m", "42", "phone"}, ErrOpen},
		{"no scope", k, text, nil, ErrScope},
		{"separator in scope", k, text, []string{"m|42", "phone"}, ErrScope},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			plain, err := c.key.Open(c.text, c.scope...)
			if !errors.Is(err, c.want) {
				t.Fatalf("err %v, want %v", err, c.want)
			}
			if c.want == nil && string(plain) != "13800138000" {
				t.Fatalf("opened %q", plain)
			}
		})
	}
	if _, err := k.Seal(nil, "a|b"); !errors.Is(err, ErrScope) {
		t.Errorf("separator in scope: %v", err)
	}
}

func TestRotationOpensBothAndKeepsLookups(t *testing.T) {
	t.Parallel()
	old := generate(t)
	rotated := rotate(t, old)
	before, _ := old.Seal([]byte("a"), "s")
	after, _ := rotated.Seal([]byte("b"), "s")
	if plain, err := rotated.Open(before, "s"); err != nil || string(plain) != "a" {
		t.Errorf("rotated keys on an old text: %q, %v", plain, err)
	}
	if _, err := old.Open(after, "s"); !errors.Is(err, ErrOpen) {
		t.Errorf("the primary key did not change: %v", err)
	}
	parsed, err := Parse(rotated.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{before, after} {
		if _, err := parsed.Open(text, "s"); err != nil {
			t.Errorf("after marshal and parse: %v", err)
		}
	}
	if old.Lookup("m", "phone", "1") != parsed.Lookup("m", "phone", "1") {
		t.Error("rotation moved the look-ups")
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	k := generate(t)
	other := generate(t)
	otherKeyset, err := newKeys(other.handle, k.root)
	if err != nil {
		t.Fatal(err)
	}
	otherRoot, err := newKeys(k.handle, other.root)
	if err != nil {
		t.Fatal(err)
	}
	mark := k.Fingerprint()
	cases := []struct {
		name string
		key  *Keys
		text string
		want error
	}{
		{"same", k, mark, nil},
		{"rotated twice", rotate(t, rotate(t, k)), mark, nil},
		{"other root, same keyset", otherRoot, mark, ErrKeyMismatch},
		{"other keyset, same root", otherKeyset, mark, ErrKeyMismatch},
		{"other key", other, mark, ErrKeyMismatch},
		{"older keyset, mark of the rotated", k, rotate(t, k).Fingerprint(), ErrKeyMismatch},
		{"empty", k, "", ErrKeyMismatch},
		{"later version", k, "2" + mark[1:], ErrKeyMismatch},
		{"root half only", k, strings.Join(strings.Split(mark, ".")[:2], ".") + ".", ErrKeyMismatch},
	}
	for _, c := range cases {
		if err := c.key.Check(c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if strings.Contains(mark, base64.StdEncoding.EncodeToString(k.root)) {
		t.Error("the fingerprint tells the root")
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	k := generate(t)
	base := k.Lookup("m", "phone", "13800138000")
	if len(base) != 22 || strings.ContainsAny(base, "+/=") {
		t.Errorf("%q: want 22 characters of base64url", base)
	}
	parsed, err := Parse(k.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if got := parsed.Lookup("m", "phone", "13800138000"); got != base {
		t.Errorf("after parse %q, before %q", got, base)
	}
	for name, got := range map[string]string{
		"merchant": k.Lookup("n", "phone", "13800138000"),
		"kind":     k.Lookup("m", "id_card", "13800138000"),
		"value":    k.Lookup("m", "phone", "13800138001"),
		"split":    k.Lookup("m", "phone1", "3800138000"),
		"key":      generate(t).Lookup("m", "phone", "13800138000"),
	} {
		if got == base {
			t.Errorf("another %s gave the same look-up", name)
		}
	}
	for _, value := range []string{strings.Repeat("长", 100), ""} {
		if first := k.Lookup("m", "name", value); first != k.Lookup("m", "name", value) {
			t.Errorf("%d bytes: not stable", len(value))
		}
	}
	k.lookupCount.Store(lookupCacheLimit)
	if k.Lookup("beyond", "phone", "1") != parsed.Lookup("beyond", "phone", "1") {
		t.Error("beyond the cache limit the value differs")
	}
}

func TestLookupConcurrent(t *testing.T) {
	t.Parallel()
	k, want := generate(t), make(map[string]string)
	for i := range 20 {
		v := fmt.Sprint(i)
		want[v] = k.Lookup("m"+v, "phone", v)
	}
	fresh, err := Parse(k.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				for v, w := range want {
					if got := fresh.Lookup("m"+v, "phone", v); got != w {
						t.Errorf("look-up of %s: %s, want %s", v, got, w)
					}
				}
			}
		})
	}
	group.Wait()
}

func TestDerive(t *testing.T) {
	t.Parallel()
	k := generate(t)
	a := k.Derive("member-code", 32)
	if len(a) != 32 || !bytes.Equal(a, k.Derive("member-code", 32)) {
		t.Error("not stable")
	}
	if bytes.Equal(a, k.Derive("token", 32)) || bytes.Equal(a, generate(t).Derive("member-code", 32)) {
		t.Error("another purpose or key gave the same bytes")
	}
}

func TestParseRefusesWithoutTelling(t *testing.T) {
	t.Parallel()
	k := generate(t)
	good := string(k.Marshal())
	if _, err := Parse([]byte(base64.StdEncoding.EncodeToString([]byte(good)))); err != nil {
		t.Errorf("Base64 of a key file: %v", err)
	}
	material := string(k.clear[strings.Index(string(k.clear), `"value":"`)+9:])[:20]
	cases := map[string]string{
		"empty":          "",
		"words":          "correct horse",
		"cut":            good[:len(good)-3],
		"two documents":  good + good,
		"version":        strings.Replace(good, `"version":1`, `"version":2`, 1),
		"no version":     strings.Replace(good, `"version":1,`, ``, 1),
		"unknown name":   strings.Replace(good, `"version"`, `"x":1,"version"`, 1),
		"short root":     `{"version":1,"lookup_root":"AAAA","keyset":` + string(k.clear) + `}`,
		"no keyset":      `{"version":1,"lookup_root":"` + base64.StdEncoding.EncodeToString(k.root) + `"}`,
		"keyset damaged": strings.Replace(good, material, "!"+material, 1),
		"keyset empty":   `{"version":1,"lookup_root":"` + base64.StdEncoding.EncodeToString(k.root) + `","keyset":{}}`,
		"not AEAD":       strings.Replace(good, "AesGcmKey", "HmacKey", 1),
	}
	for name, text := range cases {
		_, err := Parse([]byte(text))
		if !errors.Is(err, ErrKeyFormat) {
			t.Errorf("%s: %v, want %v", name, err, ErrKeyFormat)
			continue
		}
		if strings.Contains(err.Error(), material) {
			t.Errorf("%s: the error tells the key", name)
		}
	}
}

func TestKeysArePrintedWithoutSecrets(t *testing.T) {
	t.Parallel()
	k := generate(t)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "keys", k)
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), log.String()} {
		if !strings.Contains(text, "seal.Keys") || len(text) > 200 {
			t.Errorf("printed %q", text)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	k := generate(b)
	b.ReportAllocs()
	for b.Loop() {
		k.Lookup("1864", "phone", "13800138000")
	}
}

func BenchmarkOpen(b *testing.B) {
	k := generate(b)
	text, _ := k.Seal([]byte("13800138000"), "1864", "100000000000000001", "phone")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open(text, "1864", "100000000000000001", "phone"); err != nil {
			b.Fatal(err)
		}
	}
}
