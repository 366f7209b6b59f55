package main

import (
	"fmt"
	"slices"
	"time"
)

// verdict is an answer: the status, with the reason of a refusal or the user that the handler met.
type verdict struct {
	status int
	about  string
}

func (v verdict) String() string { return fmt.Sprintf("%d %s", v.status, v.about) }

// The verdicts that change with time.
var (
	unknownTenant   = verdict{401, "tenant_unknown"}
	otherAudience   = verdict{401, "audience_mismatch"}
	expired         = verdict{401, "token_expired"}
	keyNotFound     = verdict{401, "key_not_found"}
	keysUnavailable = verdict{503, "keys_unavailable"}
	otherClient     = verdict{403, "client_not_allowed"}
)

// registration is what the registry says of a tenant.
type registration int

const (
	registered registration = iota
	absent
	forOthers     // with an audience that is not this API's
	forOtherCalls // with a list of clients that lacks ours
)

// key is the life of one signing key, as the oracle knows it. It is published, then known to the verifier, then withdrawn, and then
// gone from the verifier, too. All but the first are zero until they happen.
type key struct {
	*timeline[keyState]
	// atOnce: while it is not known, a token of it makes the verifier ask, because nobody else does; it is never refused.
	atOnce bool
}

type keyState int

const (
	unpublished keyState = iota // never published
	published                   // may be known or not: the next fetch brings it
	known                       // published, and a fetch has landed that began after that
	withdrawn                   // may be gone or not: the next fetch takes it
	gone                        // withdrawn, and a fetch has landed that began after that
)

// token is what a client sends, and all that its answer depends on.
type token struct {
	header string // Authorization; empty: none
	path   string
	class  class
	// best is the answer when nothing stands in the way: 200 with the user, or what is wrong with the token itself.
	best verdict

	tenant  *timeline[registration] // nil: it does not change
	key     *key                    // nil: it does not change
	expires time.Time               // when the leeway is over, by the wall clock; zero: after the run
	sets    []*keySet               // where its key is looked for
}

// permitted lists the right answers to a request that lasted from begin to end. They are several only where something changed
// meanwhile. The order of the checks is that of the verifier: the first that fails is the answer.
//
//   - Tenant: what the registry says. A change counts when the call has returned; during it both answers are right.
//   - Expiry: refused from exp and the leeway on; a request that lasts across that moment may get either answer.
//   - Key: once a fetch has landed that began after its publication it is known, and refused by nobody. Before, it is accepted as soon
//     as a forced fetch finds it, and refused while the cool-down of those lasts. Once a fetch has landed that began after its
//     withdrawal, it is refused; before, either.
//   - Outage: whoever asks for a key that is not known may be told 503 while the last fetch failed. Known keys do not care. A 401 is not
//     called wrong then: the moment at which a fetch mends an outage is not seen from outside.
func (t *token) permitted(begin, end time.Time) (right []verdict) {
	add := func(v verdict) {
		if !slices.Contains(right, v) {
			right = append(right, v)
		}
	}
	registrations := []registration{registered}
	if t.tenant != nil {
		registrations = t.tenant.during(begin, end)
	}
	before, after := true, false // may the expiry still lie ahead, may it be past
	if !t.expires.IsZero() {
		before, after = begin.Round(0).Before(t.expires), !end.Round(0).Before(t.expires)
	}
	for _, r := range registrations {
		switch r {
		case absent:
			add(unknownTenant)
			continue
		case forOthers:
			add(otherAudience)
			continue
		}
		if after {
			add(expired)
		}
		if !before {
			continue
		}
		accepted, refused := t.keyMayHold(begin, end)
		if refused {
			add(keyNotFound)
		}
		if (refused || !t.keyIsKnown(begin, end)) && t.failing(begin, end) {
			add(keysUnavailable)
		}
		if accepted && r == forOtherCalls {
			add(otherClient)
		} else if accepted {
			add(t.best)
		}
	}
	return right
}

// keyMayHold tells whether the key may have been accepted, and whether it may have been refused.
func (t *token) keyMayHold(begin, end time.Time) (accepted, refused bool) {
	if t.key == nil {
		return true, false
	}
	for _, state := range t.key.during(begin, end) {
		switch state {
		case unpublished, gone:
			refused = true
		case published:
			accepted, refused = true, refused || !t.key.atOnce
		case known:
			accepted = true
		case withdrawn:
			accepted, refused = true, true
		}
	}
	return accepted, refused
}

// keyIsKnown tells whether the key was known from begin to end.
func (t *token) keyIsKnown(begin, end time.Time) bool {
	if t.key == nil {
		return true
	}
	states := t.key.during(begin, end)
	return len(states) == 1 && states[0] == known
}

func (t *token) failing(begin, end time.Time) bool {
	return slices.ContainsFunc(t.sets, func(s *keySet) bool { return s.failing(begin, end) })
}
