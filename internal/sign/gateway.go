package sign

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// The two parameters with a role of their own in the base.
const (
	signParam   = "sign"
	methodParam = "method"
)

// Gateway returns the signature our own client sends: lower-case hex MD5 of
// the decoded parameters sorted by name (empty ones included, sign left out),
// the raw body and the secret.
func Gateway(query url.Values, body []byte, secret string) string {
	pairs := make([]pair, 0, len(query))
	for name, values := range query {
		if name == signParam {
			continue
		}
		for _, value := range values {
			pairs = append(pairs, pair{name, value})
		}
	}
	slices.SortStableFunc(pairs, byName)
	sum := digest(pairs, false, body, secret)
	return hex.EncodeToString(sum[:])
}

// VerifyGateway reports whether sign belongs to the request. The document
// leaves three questions open and a client written to any reading passes:
// whether the method of the path is part of the base (when it is no query
// parameter), whether empty parameters are, and whether values are taken
// decoded or as they stand in the URL. A query that ParseQuery refuses and an
// empty secret never verify.
func VerifyGateway(rawQuery, method string, body []byte, secret, sign string) bool {
	params, err := ParseQuery(rawQuery)
	return err == nil && VerifyParams(params, method, body, secret, sign)
}

// VerifyParams is VerifyGateway for a query that is parsed already.
func VerifyParams(params []Param, method string, body []byte, secret, sign string) bool {
	var want [md5.Size]byte
	if len(sign) != hex.EncodedLen(md5.Size) || secret == "" {
		return false
	}
	if _, err := hex.Decode(want[:], []byte(sign)); err != nil { // takes either case
		return false
	}
	decoded, raw := make([]pair, 0, len(params)+1), make([]pair, 0, len(params)+1)
	empty, differs := false, false
	for _, p := range params {
		if p.Name == signParam {
			continue
		}
		if p.Name == methodParam {
			method = "" // it is in the base as sent
		}
		empty = empty || p.Value == ""
		differs = differs || p.Name != p.RawName || p.Value != p.RawValue
		decoded = append(decoded, pair{p.Name, p.Value})
		raw = append(raw, pair{p.RawName, p.RawValue})
	}
	slices.SortFunc(decoded, byName)
	sum := digest(decoded, false, body, secret)
	if subtle.ConstantTimeCompare(sum[:], want[:]) == 1 {
		return true // the plain reading, nearly always
	}
	bases := [][]pair{decoded}
	if differs {
		slices.SortFunc(raw, byName)
		bases = append(bases, raw)
	}
	if method != "" {
		for _, base := range bases[:len(bases):len(bases)] {
			with := append(slices.Clone(base), pair{methodParam, method})
			slices.SortFunc(with, byName)
			bases = append(bases, with)
		}
	}
	// All that differ are computed, so that the time taken does not tell which
	// one matched.
	match := 0
	for i, base := range bases {
		if i > 0 { // the first was the plain one
			sum = digest(base, false, body, secret)
			match |= subtle.ConstantTimeCompare(sum[:], want[:])
		}
		if empty {
			sum = digest(base, true, body, secret)
			match |= subtle.ConstantTimeCompare(sum[:], want[:])
		}
	}
	return match == 1
}

type pair struct{ name, value string }

func byName(a, b pair) int { return strings.Compare(a.name, b.name) }

// digest hashes one candidate base; pairs are sorted.
func digest(pairs []pair, skipEmpty bool, body []byte, secret string) [md5.Size]byte {
	var buffer [768]byte // enough for a documented call with its body
	base := buffer[:0]
	for _, p := range pairs {
		if skipEmpty && p.value == "" {
			continue
		}
		base = append(base, p.name...)
		base = append(base, p.value...)
	}
	base = append(base, body...)
	base = append(base, secret...)
	return md5.Sum(base)
}
