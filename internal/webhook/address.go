package webhook

import (
	"errors"
	"net/netip"
	"syscall"
)

// errAddress is returned for an address that callbacks may not go to.
var errAddress = errors.New("address not allowed")

// ipv6 is all of IPv6 that is given out to anybody. What lies beside it are
// translators into IPv4, local networks, and nothing.
var ipv6 = netip.MustParsePrefix("2000::/3")

// inner are the ranges that netip has no question for and that lead into a
// network of one's own, to a translator into one, or nowhere.
var inner = prefixes(
	"0.0.0.0/8",        // this network
	"100.64.0.0/10",    // carrier-grade NAT, and a cloud's metadata
	"168.63.129.16/32", // a cloud's own services, seen from its machines
	"192.0.0.0/24",     // protocol assignments
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"240.0.0.0/4",      // reserved, broadcast
	"2001::/23",        // protocol assignments, Teredo
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4
	"3fff::/20",        // documentation
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// public tells whether an address is anybody's on the internet.
func public(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() { // not unspecified, loopback, link-local, multicast, broadcast
		return false
	}
	if ip.Is6() && !ipv6.Contains(ip) {
		return false
	}
	for _, p := range inner {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// onlyPublic is the Control of a dialer: it sees the address that is about to
// be dialled, after all names have been looked up, so that no name and no
// second look-up gets around it.
func onlyPublic(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !public(to.Addr()) {
		return errAddress
	}
	return nil
}
