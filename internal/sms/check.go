package sms

import (
	"context"
	"fmt"
	"net/netip"
)

// maxWrong is how many wrong attempts a code survives: with the shortest codes
// and ten sends a day a guesser is right once in two hundred days.
const maxWrong = 5

// Purpose is what a code is used up for.
type Purpose string

// The purposes, as they are stored.
const (
	// Judge is gateway 6.2: a code is right once.
	Judge Purpose = "judge"
	// Register is envelope 1.6: a code that was right for it stays so, as the
	// registration may be repeated when its answer was lost.
	Register Purpose = "register"
)

// Repeatable tells whether a code that was used for p is right for p again.
func (p Purpose) Repeatable() bool { return p == Register }

// Check tells whether the code is the phone's, and uses it up for the purpose.
// Wrong, expired, used, void and never sent are not told apart; each attempt is
// counted before anything is compared.
func (s *Service) Check(ctx context.Context, merchant, phone, code string, purpose Purpose) (bool, error) {
	return s.Storage.TryCode(ctx, Attempt{
		Merchant: merchant, Phone: s.phone(merchant, phone), Code: s.code(merchant, phone, code),
		Now: s.Now().UnixMilli(), Limit: maxWrong, Purpose: purpose,
	})
}

// The kinds of keyed hashes: equal texts of two kinds have nothing in common.
const (
	kindPhone  = "sms"
	kindCode   = "sms code"
	kindSource = "sms source"
)

func (s *Service) phone(merchant, phone string) string {
	return s.Keys.Lookup(merchant, kindPhone, phone)
}

// code is bound to its phone, so that equal codes of two phones don't show.
func (s *Service) code(merchant, phone, code string) string {
	return s.Keys.Lookup(merchant, kindCode, phone+"|"+code)
}

func (s *Service) source(merchant, address string) string {
	return s.Keys.Lookup(merchant, kindSource, sourceOf(address))
}

// subnet is how much of an IPv6 address names a caller: the rest is its own to
// choose.
const subnet = 64

// sourceOf is the caller behind HOST:PORT.
func sourceOf(address string) string {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	host := at.Addr().Unmap().WithZone("")
	if host.Is6() {
		return fmt.Sprint(netip.PrefixFrom(host, subnet).Masked())
	}
	return host.String()
}
