package sign

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sentQueries are the queries in the gateway's golden transcripts.
func sentQueries(f *testing.F) (all []string) {
	files, err := filepath.Glob("../gateway/testdata/*.golden")
	if err != nil || len(files) < 20 {
		f.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if _, query, ok := strings.Cut(strings.TrimSpace(line), "?"); ok && strings.HasPrefix(line, "POST ") {
				all = append(all, query)
				break
			}
		}
	}
	return all
}

// changed is text with one byte made another; by is never 0.
func changed(text string, at uint, by byte) string {
	b := []byte(text)
	b[at%uint(len(b))] ^= max(by, 1)
	return string(b)
}

// FuzzGatewaySign: a signature made by our signer verifies in every order of the
// parameters, and in upper case; with any one byte of a name, a value, the body,
// the secret or the signature changed it does not.
//
// One change does pass, by the scheme: a client may sign values as they stand in
// the URL, where '+' is a blank, so "a+b" and "a b" are one to the verifier. And
// a name that changes to sign is signed no more, but then its value is missing.
func FuzzGatewaySign(f *testing.F) {
	for i, raw := range append(sentQueries(f),
		vectorQuery, "a=b", "a=&b=", "a=+%2B%20", "ab=c&a=bc", "sign=x&a=1", "methoddss.x=&a=1", "a=%25%32%42", "%E4%B8%AD=%00", "=", "b=1&a=2",
	) {
		for place := range uint8(5) {
			f.Add(raw, vectorBody, place, uint(7*i), byte(1<<(i%8)))
		}
	}
	f.Fuzz(func(t *testing.T, raw, body string, place uint8, at uint, by byte) {
		const secret = "0123456789abcdef0123456789abcdef"
		params, err := ParseQuery(raw)
		if err != nil {
			return
		}
		values := Values(params)
		sign := Gateway(values, []byte(body), secret)
		slices.Reverse(params)
		for _, given := range []string{sign, strings.ToUpper(sign)} {
			if !VerifyParams(params, "", []byte(body), secret, given) {
				t.Fatalf("%q with %q: our own signature is refused", raw, body)
			}
		}
		otherBody, otherSecret, otherSign := body, secret, sign
		switch {
		case place%5 == 0 && body != "":
			otherBody = changed(body, at, by)
		case place%5 == 1:
			otherSecret = changed(secret, at, by)
		case place%5 == 2:
			otherSign = changed(sign, at, by)
			if same, _ := hex.DecodeString(otherSign); hex.EncodeToString(same) == sign {
				return // a letter's case
			}
		case len(params) > 0:
			p := params[at%uint(len(params))]
			name, value := p.Name, p.Value
			if place%5 == 3 && value != "" {
				value = changed(value, at/7, by)
			} else if name != "" {
				name = changed(name, at/7, by)
			}
			if p.Name == signParam || values.Has(name) && name != p.Name || plusForBlank(p.Name+p.Value, name+value) {
				return
			}
			values.Del(p.Name)
			values.Set(name, value)
		default:
			return
		}
		unchanged := otherBody == body && otherSecret == secret && otherSign == sign && cmp.Equal(values, Values(params))
		if VerifyGateway(values.Encode(), "", []byte(otherBody), otherSecret, otherSign) != unchanged {
			t.Fatalf("%q with %q changed to %q with %q, secret %q, sign %s: accepted %t", raw, body, values.Encode(), otherBody, otherSecret, otherSign, !unchanged)
		}
	})
}

// plusForBlank tells whether the one byte that differs became a blank from '+'.
func plusForBlank(before, after string) bool {
	for i := range min(len(before), len(after)) {
		if before[i] != after[i] {
			return before[i] == '+' && after[i] == ' '
		}
	}
	return false
}

// FuzzEnvelopeBase: the base does not depend on the order of the fields, leaves
// out sign alone, and any one byte of another name or value changes it.
func FuzzEnvelopeBase(f *testing.F) {
	for i, fields := range [][3]string{
		{"1864", `{'memberId':'1'}`, "1"}, {"", "", ""}, {"a&b=c", "=&", "&"}, {"中", "\x00", "\xff"}, {"1&ver=2", "{}&ver=1", "1"},
	} {
		f.Add("partnerId", fields[0], "requestBody", fields[1], "ver", fields[2], uint(i))
		f.Add("sign", fields[0], "sigm", fields[1], "", fields[2], uint(i+3))
	}
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2, n3, v3 string, at uint) {
		if n1 == n2 || n2 == n3 || n1 == n3 {
			return // refused before: names are unique
		}
		fields := []Field{{n1, v1}, {n2, v2}, {n3, v3}}
		base := EnvelopeBase(fields)
		if again := EnvelopeBase([]Field{fields[2], fields[0], fields[1]}); again != base {
			t.Fatalf("%q: %q in one order, %q in another", fields, base, again)
		}
		var pieces []string
		for _, field := range fields {
			if field.Name != signParam {
				pieces = append(pieces, field.Name+"="+field.Value)
			}
		}
		if len(base) != len(strings.Join(pieces, "&")) {
			t.Fatalf("%q: %q is not made of %q", fields, base, pieces)
		}
		one := &fields[at%3]
		before := *one
		if one.Value != "" {
			one.Value = changed(one.Value, at/3, byte(at))
		} else if one.Name != "" {
			one.Name = changed(one.Name, at/3, byte(at))
		}
		same := before == *one || before.Name == signParam && one.Name == signParam
		if got := EnvelopeBase(fields); (got == base) != same {
			t.Fatalf("%q instead of %q: %q, before %q", *one, before, got, base)
		}
	})
}

// FuzzEnvelopeSign: a signature of ours verifies, broken into lines too, and
// with one byte of the base or of the signature changed it does not.
func FuzzEnvelopeSign(f *testing.F) {
	key, err := ParsePrivateKey(testdata(f, "key_pkcs8.pem"))
	if err != nil {
		f.Fatal(err)
	}
	for i, base := range []string{testdata(f, "envelope_base.txt"), "", "a=1&b=2", "\x00", "中=\xff"} {
		f.Add(base, uint(i*50), byte(1<<i))
	}
	f.Fuzz(func(t *testing.T, base string, at uint, by byte) {
		signature, err := SignEnvelope(base, key)
		if err != nil {
			t.Fatal(err)
		}
		if !VerifyEnvelope(base, signature, &key.PublicKey) || !VerifyEnvelope(base, wrap(signature), &key.PublicKey) {
			t.Fatalf("%q: our own signature is refused", base)
		}
		if base != "" && VerifyEnvelope(changed(base, at, by), signature, &key.PublicKey) {
			t.Fatalf("%q, byte %d changed by %d: accepted", base, at, by)
		}
		bytes, err := base64.StdEncoding.DecodeString(signature)
		if err != nil {
			t.Fatal(err)
		}
		other := base64.StdEncoding.EncodeToString([]byte(changed(string(bytes), at, by)))
		if VerifyEnvelope(base, other, &key.PublicKey) {
			t.Fatalf("%q: signature %s accepted, ours is %s", base, other, signature)
		}
	})
}

// FuzzKeys: what is taken as a key is one of the sizes we allow, and written out
// it is read as the same key.
func FuzzKeys(f *testing.F) {
	for _, name := range []string{"key_pkcs1.pem", "key_pkcs8.pem", "public_pkcs1.pem", "public_spki.pem", "weak_1024.pem", "weak_1024_public.pem"} {
		text := testdata(f, name)
		f.Add(text)
		f.Add(strings.Join(strings.Split(text, "\n")[1:], ""))
		f.Add(text[:len(text)/2])
	}
	f.Fuzz(func(t *testing.T, text string) {
		const least = 2048
		if key, err := ParsePrivateKey(text); err == nil {
			out, err := EncodePrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := ParsePrivateKey(out); err != nil || !again.Equal(key) || key.N.BitLen() < least {
				t.Fatalf("a private key of %d bits is another when it is read again: %v", key.N.BitLen(), err)
			}
		}
		if key, err := ParsePublicKey(text); err == nil {
			out, err := EncodePublicKey(key)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := ParsePublicKey(out); err != nil || !again.Equal(key) || key.N.BitLen() < least {
				t.Fatalf("a public key of %d bits is another when it is read again: %v", key.N.BitLen(), err)
			}
		}
	})
}

// FuzzParseQuery compares with net/url and checks that what our client signs
// verifies after any encoding on the way.
func FuzzParseQuery(f *testing.F) {
	for _, raw := range append(sentQueries(f),
		vectorQuery, "app_id=1&sign=&code=&redirect_url=&timestamp=1", "a=%E4%B8%AD+b", "a;b=1", "a&a", "%", "==&&=", "a=1&%61=2", "%zz=%", strings.Repeat("&a", 300),
	) {
		f.Add(raw, vectorBody)
	}
	f.Fuzz(func(t *testing.T, raw, body string) {
		params, err := ParseQuery(raw)
		std, stdErr := url.ParseQuery(raw)
		if err != nil {
			repeated := err.(*QueryError).Fault == RepeatedParam &&
				slices.ContainsFunc(slices.Collect(keys(std)), func(k string) bool { return len(std[k]) > 1 })
			if stdErr == nil && !repeated && err.(*QueryError).Fault != TooManyParams {
				t.Fatalf("%q: %v, net/url takes it", raw, err)
			}
			return
		}
		values := Values(params)
		if stdErr == nil {
			if diff := cmp.Diff(std, values); diff != "" {
				t.Fatalf("%q: %s", raw, diff)
			}
		}
		sign := Gateway(values, []byte(body), "secret")
		if !VerifyGateway(raw, "dss.x", []byte(body), "secret", sign) || !VerifyGateway(values.Encode(), "", []byte(body), "secret", sign) {
			t.Fatalf("%q: our own signature is refused", raw)
		}
	})
}

func keys(values url.Values) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range values {
			if !yield(k) {
				return
			}
		}
	}
}
