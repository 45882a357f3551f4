package envelope

import (
	"context"
	"crypto/rsa"
	"os"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/access/accesstest"
	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sign"
)

// A signature covers every field of the frame: nothing can be changed, added or
// left out without the key.
func TestTamperedFrame(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	inner := `{"memberId":"` + memberC + `","changeScore":8,"operationType":1}`
	fields := [][2]string{
		{"ver", "1"}, {"partnerId", `"1864"`}, {"appId", quoted(s.App.ID)},
		{"requestBody", quoted(inner)}, {"nonce", `"n1"`}, {"nothing", "null"},
	}
	good := signedFrame(t, s.App.Key, fields[:5])
	if got := s.send("untouched", pathUpdate, good); codeOf(t, got) != "100" {
		t.Fatalf("untouched: %s", got.Body)
	}
	before := s.Member(loyalty.Who{Merchant: doortest.Merchant, ExternalID: memberC}).Balance
	otherKey := signedFrame(t, s.Other.Key, fields[:5])
	_, signature, _ := strings.Cut(good, `"sign":`)
	for name, body := range map[string]string{
		"ver":                    strings.Replace(good, `"ver":1`, `"ver":"1.0"`, 1),
		"ver left out":           strings.Replace(good, `"ver":1,`, ``, 1),
		"partnerId":              strings.Replace(good, `"1864"`, `"2282"`, 1),
		"partnerId left out":     strings.Replace(good, `"partnerId":"1864",`, ``, 1),
		"appId of another app":   strings.Replace(good, s.App.ID, s.Other.ID, 1),
		"requestBody, one digit": strings.Replace(good, `changeScore\":8`, `changeScore\":9`, 1),
		"requestBody, a blank":   strings.Replace(good, `changeScore\":8`, `changeScore\": 8`, 1),
		"requestBody, as object": strings.Replace(good, quoted(inner), inner[:1]+" "+inner[1:], 1),
		"another field":          strings.Replace(good, `"n1"`, `"n2"`, 1),
		"another field left out": strings.Replace(good, `"nonce":"n1",`, ``, 1),
		"a field added":          strings.Replace(good, `"ver":1`, `"ver":1,"extra":"x"`, 1),
		"an empty field added":   strings.Replace(good, `"ver":1`, `"ver":1,"extra":""`, 1),
		"a name's letter case":   strings.Replace(good, `"nonce"`, `"Nonce"`, 1),
		"sign left out":          strings.Replace(good, `,"sign":`+signature, `}`, 1),
		"sign null":              strings.Replace(good, `"sign":`+signature, `"sign":null}`, 1),
		"sign empty":             strings.Replace(good, `"sign":`+signature, `"sign":""}`, 1),
		"sign skip":              strings.Replace(good, `"sign":`+signature, `"sign":"skip"}`, 1),
		"sign sign":              strings.Replace(good, `"sign":`+signature, `"sign":"sign"}`, 1),
		"sign cut":               strings.Replace(good, `"sign":`+signature, `"sign":`+signature[:200]+`"}`, 1),
		"another app's key":      otherKey,
	} {
		if body == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if got := codeOf(t, s.send(name, pathUpdate, body)); got != "1002" {
			t.Errorf("%s: %s", name, got)
		}
	}
	// What is not signed may change: null fields, blanks and the order of names.
	for name, body := range map[string]string{
		"a null field":    strings.Replace(good, `"ver":1`, `"ver":1,"extra":null`, 1),
		"blanks":          strings.Replace(good, `"ver":1`, ` "ver" : 1 `, 1),
		"an object":       signedFrame(t, s.App.Key, [][2]string{fields[0], fields[1], fields[2], {"requestBody", inner[:1] + " " + inner[1:]}}),
		"order":           signedFrame(t, s.App.Key, [][2]string{fields[4], fields[3], fields[2], fields[1], fields[0]}),
		"an escaped name": strings.Replace(good, `"ver"`, `"\u0076er"`, 1),
	} {
		if got := codeOf(t, s.send(name, pathUpdate, body)); got != "100" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := s.Member(loyalty.Who{Merchant: doortest.Merchant, ExternalID: memberC}).Balance; got != before+5*8 {
		t.Errorf("balance %d after 5 more good calls, %d before", got, before)
	}
}

// A signature made with the openssl command line, over the document's first
// example with its line breaks, opens the door.
func TestOpenSSLSignature(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	read := func(name string) string {
		b, err := os.ReadFile("../sign/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	key, err := sign.ParsePrivateKey(read("key_pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	others := access.New(accesstest.NewMemory(), s.Keys, access.Options{
		Now: s.Clock.Now, GenerateKey: func() (*rsa.PrivateKey, error) { return key, nil },
	})
	ctx := context.Background()
	if _, err := others.CreateMerchant(ctx, doortest.Merchant, "m", false, "{}"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := others.CreateApp(ctx, access.NewApp{ID: doortest.UnsignedApp, MerchantID: doortest.Merchant, Name: "a"}); err != nil {
		t.Fatal(err)
	}
	o := s.options()
	o.Access = others
	s.handler = New(o)
	s.keys["openssl"] = &key.PublicKey
	if got := s.send("as it stands", examples[0].path, examples[0].body); codeOf(t, got) != "1002" {
		t.Errorf("as it stands: %s", got.Body)
	}
	body := strings.Replace(examples[0].body, `"skip"`, quoted(read("envelope_signature.txt")), 1)
	if got := s.send("signed", examples[0].path, body); codeOf(t, got) != "100" {
		t.Errorf("signed: %s", got.Body)
	}
}
