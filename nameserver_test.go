package identity_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
)

// nameServer says which addresses a name has; none means that there is no such name. It is asked once for IPv4 and once for IPv6
// addresses, and names have no final dot.
type nameServer func(name string) []netip.Addr

// resolver asks the name server and nobody else.
func (s nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go s.serve(server)
		return client, nil
	}}
}

// serve answers until the client has gone. As over TCP, each message has its length before it: a pipe keeps no boundaries.
func (s nameServer) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		reply := s.reply(query)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

// reply answers the one question of a query (RFC 1035 §4).
func (s nameServer) reply(query []byte) []byte {
	const header, typeA, typeAAAA = 12, 1, 28
	var labels []string
	end := header
	for query[end] != 0 {
		next := end + 1 + int(query[end])
		labels = append(labels, string(query[end+1:next]))
		end = next
	}
	asked := binary.BigEndian.Uint16(query[end+1:])
	end += 5 // the root's label, type and class
	reply := append([]byte{}, query[:end]...)
	copy(reply[2:header], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	for _, addr := range s(strings.Join(labels, ".")) {
		kind := uint16(typeAAAA)
		if addr.Is4() {
			kind = typeA
		}
		if kind != asked {
			continue
		}
		reply[7]++
		reply = append(reply, 0xc0, header) // the name in the question
		reply = binary.BigEndian.AppendUint16(reply, kind)
		reply = append(reply, 0, 1, 0, 0, 0, 0) // class, time to live
		reply = binary.BigEndian.AppendUint16(reply, uint16(addr.BitLen()/8))
		reply = append(reply, addr.AsSlice()...)
	}
	return reply
}
