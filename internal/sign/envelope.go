package sign

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// Field is one field of an envelope frame as text: strings decoded, anything
// else as the bytes that were sent. Fields whose value is null are left out by
// the caller.
type Field struct{ Name, Value string }

// EnvelopeBase returns what is signed: every field except sign, sorted by name
// in ASCII order, as name=value joined with &.
//
// Values are not escaped, so one base can be cut into frames in several ways.
// What protects the reader is that it then refuses a requestBody that is not
// exactly one JSON object, and a partnerId that is not the app's own.
func EnvelopeBase(fields []Field) string {
	sorted := slices.Clone(fields)
	slices.SortStableFunc(sorted, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	size := 0
	for _, f := range sorted {
		size += len(f.Name) + len(f.Value) + 2
	}
	var b strings.Builder
	b.Grow(size)
	for _, f := range sorted {
		if f.Name == signParam {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(f.Name)
		b.WriteByte('=')
		b.WriteString(f.Value)
	}
	return b.String()
}

// SignEnvelope returns the SHA256withRSA (PKCS #1 v1.5) signature of base as
// Base64 on one line.
func SignEnvelope(base string, key *rsa.PrivateKey) (string, error) {
	sum := sha256.Sum256([]byte(base))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign envelope: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// VerifyEnvelope reports whether signature, Base64 with or without line
// breaks, is the key owner's over base.
func VerifyEnvelope(base, signature string, key *rsa.PublicKey) bool {
	const longest = 4096 // Base64 of the largest key we take is below 1,500
	if key == nil || len(signature) > longest {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(withoutBlanks(signature))
	if err != nil {
		return false
	}
	sum := sha256.Sum256([]byte(base))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) == nil
}

func withoutBlanks(text string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n':
			return -1
		}
		return r
	}, text)
}
