package main

import (
	"context"
	"net/http"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// faults are what happens to the key server, in turns.
var faults = []struct {
	name      string
	fault     mockidp.Fault
	handshake mockidp.HandshakeFault // instead, if it says anything
}{
	{name: "down", handshake: mockidp.HandshakeFault{Reset: true}},
	{name: "slow", fault: mockidp.Fault{Delay: 300 * time.Millisecond}},
	{name: "500", fault: mockidp.Fault{Status: 500}},
	{name: "silent", fault: mockidp.Fault{Silence: true}},
	{name: "429, Retry-After", fault: mockidp.Fault{Status: 429, Header: http.Header{"Retry-After": {"1"}}}},
	{name: "HTML", fault: mockidp.Fault{Body: []byte("<html><body>Sign in</body></html>")}},
	{name: "no keys", fault: mockidp.Fault{Endpoint: mockidp.JWKS, Body: []byte(`{"keys":[]}`)}},
	{name: "reset", fault: mockidp.Fault{Reset: true}},
	{name: "cut off", fault: mockidp.Fault{Endpoint: mockidp.JWKS, Truncate: true}},
	{name: "certificate expired", handshake: mockidp.HandshakeFault{Expired: true}},
}

func faultEvent(name string) string { return "key server: " + name }

// disturb disturbs the key server in turns of four units each. The first three of a cycle of sixty are quiet, in which the quiet set is
// fetched for the last time, and the last seventeen: in the first cycle, that is when its TTL is over.
func (a *arena) disturb(ctx context.Context) {
	for pause(ctx, 3*a.unit()) {
		for _, f := range faults {
			if !pause(ctx, 2*a.unit()) {
				return
			}
			before := a.fetches.Load()
			goOn := a.during(ctx, f.fault, f.handshake)
			if a.fetches.Load() > before {
				a.ledger.event(faultEvent(f.name))
			}
			if !goOn {
				return
			}
		}
		if !pause(ctx, 17*a.unit()) {
			return
		}
	}
}

// during lets a fault last for two units. Faults of handshakes take new connections.
func (a *arena) during(ctx context.Context, fault mockidp.Fault, handshake mockidp.HandshakeFault) bool {
	a.outage.begin(true)()
	var remove func()
	if handshake != (mockidp.HandshakeFault{}) {
		remove = a.idp.InjectHandshake(handshake)
		a.idp.Client().CloseIdleConnections()
	} else {
		remove = a.idp.Inject(fault)
	}
	goOn := pause(ctx, 2*a.unit())
	remove()
	a.outage.begin(false)()
	return goOn
}
