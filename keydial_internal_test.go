package identity

import (
	"net/netip"
	"testing"
)

// specialRange is a range that no key server may be in, with the addresses just outside of it; empty means there is none, or it is in
// another range.
type specialRange struct {
	prefix string
	before string
	after  string
}

// specialRanges are all entries of the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890, RFC 8190; last updated on
// 9 October 2025) but ::ffff:0:0/96, which is judged by the IPv4 address inside, those for multicast (RFC 5771, RFC 4291 §2.7), and
// what RFC 4291 and RFC 3879 deprecated.
var specialRanges = []specialRange{
	{"0.0.0.0/8", "", "1.0.0.0"},
	{"0.0.0.0/32", "", ""},
	{"10.0.0.0/8", "9.255.255.255", "11.0.0.0"},
	{"100.64.0.0/10", "100.63.255.255", "100.128.0.0"},
	{"127.0.0.0/8", "126.255.255.255", "128.0.0.0"},
	{"169.254.0.0/16", "169.253.255.255", "169.255.0.0"},
	{"172.16.0.0/12", "172.15.255.255", "172.32.0.0"},
	{"192.0.0.0/24", "191.255.255.255", "192.0.1.0"},
	{"192.0.0.0/29", "191.255.255.255", ""},
	{"192.0.0.8/32", "", ""},
	{"192.0.0.9/32", "", ""},
	{"192.0.0.10/32", "", ""},
	{"192.0.0.170/32", "", ""},
	{"192.0.0.171/32", "", ""},
	{"192.0.2.0/24", "192.0.1.255", "192.0.3.0"},
	{"192.31.196.0/24", "192.31.195.255", "192.31.197.0"},
	{"192.52.193.0/24", "192.52.192.255", "192.52.194.0"},
	{"192.88.99.0/24", "192.88.98.255", "192.88.100.0"},
	{"192.88.99.2/32", "", ""},
	{"192.168.0.0/16", "192.167.255.255", "192.169.0.0"},
	{"192.175.48.0/24", "192.175.47.255", "192.175.49.0"},
	{"198.18.0.0/15", "198.17.255.255", "198.20.0.0"},
	{"198.51.100.0/24", "198.51.99.255", "198.51.101.0"},
	{"203.0.113.0/24", "203.0.112.255", "203.0.114.0"},
	{"224.0.0.0/4", "223.255.255.255", ""},
	{"240.0.0.0/4", "", ""},
	{"255.255.255.255/32", "", ""},

	{"::1/128", "", ""},
	{"::/128", "", ""},
	{"::/96", "", "::1:0:0"},
	{"::ffff:0:0:0/96", "::fffe:ffff:ffff:ffff", "::ffff:1:0:0"},
	{"64:ff9b::/96", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "64:ff9b::1:0:0"},
	{"64:ff9b:1::/48", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::"},
	{"100::/64", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
	{"100:0:0:1::/64", "", "100:0:0:2::"},
	{"2001::/23", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
	{"2001::/32", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
	{"2001:1::1/128", "", ""},
	{"2001:1::2/128", "", ""},
	{"2001:1::3/128", "", ""},
	{"2001:2::/48", "", ""},
	{"2001:3::/32", "", ""},
	{"2001:4:112::/48", "", ""},
	{"2001:10::/28", "", ""},
	{"2001:20::/28", "", ""},
	{"2001:30::/28", "", ""},
	{"2001:db8::/32", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
	{"2002::/16", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
	{"2620:4f:8000::/48", "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::"},
	{"3fff::/20", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
	{"5f00::/16", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f01::"},
	{"fc00::/7", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"},
	{"fe80::/10", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
	{"fec0::/10", "", ""},
	{"ff00::/8", "", ""},
}

// C15: no address of a special-purpose range is connected to, however it is written; its neighbours outside are.
func TestSpecialPurposeRanges(t *testing.T) {
	t.Parallel()
	allowed := func(addr netip.Addr) bool {
		return publicAddress("tcp", netip.AddrPortFrom(addr, 443).String(), nil) == nil
	}
	for _, r := range specialRanges {
		prefix := netip.MustParsePrefix(r.prefix)
		if prefix != prefix.Masked() {
			t.Fatalf("%s: is not a range", r.prefix)
		}
		first, last := prefix.Addr(), lastOf(prefix)
		for _, addr := range []netip.Addr{first, last} {
			spellings := []netip.Addr{addr}
			if addr.Is4() {
				spellings = append(spellings, netip.AddrFrom16(addr.As16())) // IPv4-mapped, RFC 4291 §2.5.5.2
			} else {
				spellings = append(spellings, addr.WithZone("eth0"))
			}
			for _, addr := range spellings {
				if allowed(addr) {
					t.Errorf("%s: %v is allowed", r.prefix, addr)
				}
			}
		}
		outside := []struct {
			text string
			addr netip.Addr
		}{{r.before, first.Prev()}, {r.after, last.Next()}}
		for _, next := range outside {
			if next.text == "" {
				if next.addr.IsValid() && allowed(next.addr) {
					t.Errorf("%s: its neighbour %v is allowed, and the table does not say so", r.prefix, next.addr)
				}
				continue
			}
			if next.text != next.addr.String() {
				t.Errorf("%s: %s is no neighbour, %v is", r.prefix, next.text, next.addr)
			}
			if !allowed(next.addr) {
				t.Errorf("%s: its neighbour %v is refused", r.prefix, next.addr)
			}
		}
	}
}

// lastOf is the last address of a range.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < 8*len(bytes); bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}
