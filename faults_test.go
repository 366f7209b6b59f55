package identity_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// C9, C11, C12, C13: every fault, over real sockets, in every state that the keys can be in. While keys are known no valid request is
// lost; without any the answer is 503 and says when to come again. Nobody waits longer than a fetch may take, fetches are few, and
// when the fault is over, so is the outage.
func TestFaults(t *testing.T) {
	t.Parallel()
	states := []struct {
		name string
		run  func(f *faultAPI, t *testing.T, fault fault)
	}{
		{"cold", (*faultAPI).whenCold},
		{"warm", (*faultAPI).whenWarm},
		{"refresh due", (*faultAPI).whenDue},
		{"idle past the TTL", (*faultAPI).whenIdle},
	}
	for _, fault := range faults {
		for _, state := range states {
			t.Run(fault.name+"/"+state.name, func(t *testing.T) {
				t.Parallel()
				state.run(newFaultAPI(t), t, fault)
			})
		}
	}
}

// whenCold: no keys are known.
func (f *faultAPI) whenCold(t *testing.T, fault fault) {
	lift := f.begin(t, fault)
	good := f.good()
	var pause time.Duration
	for _, got := range f.atOnceInTime(t, good, f.good(), f.unknown(0), good, f.unknown(1)) {
		e := got.refused(t, identity.ErrKeysUnavailable)
		if header := got.header.Get("Retry-After"); header != fmt.Sprint(int((e.RetryAfter+time.Second-1)/time.Second)) {
			t.Fatalf("Retry-After: got=%q, want %v", header, e.RetryAfter)
		}
		pause = max(pause, e.RetryAfter)
	}
	if want := max(fault.pause, time.Second); pause > want || pause < want-2*time.Second || pause < time.Second { // a date is cut to seconds
		t.Fatalf("Retry-After: got=%v, want=%v", pause, want)
	}
	f.fails(t, fault.cause)
	f.bounded(t, 1)
	lift()
	f.get(good).refused(t, identity.ErrKeysUnavailable) // the failure stands until then
	f.bounded(t, 1)
	f.advance(pause)
	for _, got := range f.atOnce(3, func(int) string { return good }) {
		got.accepted(t)
	}
	f.succeeds(t)
	f.bounded(t, 2)
}

// whenWarm: keys are known and no refresh is due. Only tokens of an unknown key ask for one.
func (f *faultAPI) whenWarm(t *testing.T, fault fault) {
	known := f.good()
	f.get(known).accepted(t)
	f.succeeds(t)
	lift := f.begin(t, fault)
	for i, got := range f.atOnceInTime(t, known, f.unknown(0), f.good(), f.unknown(1), known) {
		if i == 1 || i == 3 {
			got.refused(t, identity.ErrKeysUnavailable)
		} else {
			got.accepted(t)
		}
	}
	f.fails(t, fault.cause)
	f.get(f.unknown(2)).refused(t, identity.ErrKeysUnavailable)
	f.get(f.good()).accepted(t)
	f.bounded(t, 2)
	lift()
	fresh := f.idp.Tenant(tenantA).Keys().Rotate()
	rotated := f.good(mockidp.SignedBy(fresh))
	f.get(rotated).refused(t, identity.ErrKeysUnavailable)
	f.advance(max(fault.pause, 30*time.Second))
	f.get(known).accepted(t) // a refresh that failed is tried again in the background
	f.succeeds(t)
	f.get(rotated).accepted(t)
	f.bounded(t, 3)
	f.get(f.unknown(3)).refused(t, identity.ErrKeyNotFound) // the neighbour: now it is known that there is no such key
	f.get(f.unknown(4)).refused(t, identity.ErrKeyNotFound)
	f.bounded(t, 4)
}

// whenDue: 80 % of the TTL are over. The refresh is in the background.
func (f *faultAPI) whenDue(t *testing.T, fault fault) { f.whenOld(t, fault, 49*time.Minute) }

// whenIdle: the TTL is over, and nobody has tried a refresh. The first request waits for one.
func (f *faultAPI) whenIdle(t *testing.T, fault fault) { f.whenOld(t, fault, 61*time.Minute) }

func (f *faultAPI) whenOld(t *testing.T, fault fault, age time.Duration) {
	known := f.good()
	f.get(known).accepted(t)
	f.succeeds(t)
	lift := f.begin(t, fault)
	f.advance(age)
	for _, got := range f.atOnceInTime(t, known, f.good(), known, f.good()) {
		got.accepted(t)
	}
	f.fails(t, fault.cause)
	for range 3 {
		f.get(known).accepted(t)
		f.get(f.good()).accepted(t)
	}
	f.bounded(t, 2)
	lift()
	fresh := f.idp.Tenant(tenantA).Keys().Prepublish()
	f.advance(max(fault.pause, 30*time.Second))
	f.get(known).accepted(t)
	f.succeeds(t)
	f.get(f.good(mockidp.SignedBy(fresh))).accepted(t)
	f.bounded(t, 3)
}

// What looks like a fault and is none: the keys are found at once.
func TestHarmlessFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range harmless {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			f := newFaultAPI(t)
			defer f.begin(t, fault)()
			f.get(f.good()).accepted(t)
			f.succeeds(t)
			f.bounded(t, 1)
			f.advance(49 * time.Minute)
			f.get(f.good()).accepted(t)
			f.succeeds(t)
			f.bounded(t, 2)
		})
	}
}
