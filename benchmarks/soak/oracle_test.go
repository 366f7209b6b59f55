package main

import (
	"slices"
	"testing"
	"time"
)

// at is a time in a test, in seconds.
func at(seconds float64) time.Time {
	return time.Unix(1_800_000_000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

// history is a timeline that was in states from second to second: each change begins there and takes one second.
func history[T comparable](states ...T) *timeline[T] {
	l := &timeline[T]{}
	for i, s := range states {
		begin := 10 * float64(i)
		l.changes = append(l.changes, change[T]{at(begin), at(begin + 1), s})
	}
	return l
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	l := history("first", "second", "third") // begin at 0, 10 and 20, and are over a second later
	under := history("first", "second")
	under.changes[1].end = time.Time{}
	for _, row := range []struct {
		name       string
		line       *timeline[string]
		begin, end float64
		want       []string
	}{
		{"before a change", l, 5, 9, []string{"first"}},
		{"into a change", l, 5, 10.5, []string{"first", "second"}},
		{"inside a change", l, 10.2, 10.8, []string{"first", "second"}},
		{"out of a change", l, 10.5, 12, []string{"first", "second"}},
		{"from the moment it was over", l, 11, 12, []string{"second"}},
		{"across two", l, 9, 21, []string{"first", "second", "third"}},
		{"after all", l, 100, 101, []string{"third"}},
		{"a change that is not over", under, 100, 101, []string{"first", "second"}},
	} {
		if got := row.line.during(at(row.begin), at(row.end)); !slices.Equal(got, row.want) {
			t.Errorf("%s: got=%v, want=%v", row.name, got, row.want)
		}
	}
}

// A request of a second is judged by what was true in that second, and nothing else.
func TestPermitted(t *testing.T) {
	t.Parallel()
	good, scope := verdict{200, "user"}, verdict{403, "scope_missing"}
	healthy := newKeySet()
	down := &keySet{outages: []outage{{begin: at(0), failed: at(1)}}}
	recovered := &keySet{outages: []outage{{begin: at(0), failed: at(1), end: at(2)}}}
	of := func(states ...keyState) *key { return &key{timeline: history(states...)} }
	for _, row := range []struct {
		name  string
		token token
		begin float64
		want  []verdict
	}{
		{"good", token{best: good}, 5, []verdict{good}},
		{"good, in an outage", token{best: good, sets: []*keySet{down}}, 5, []verdict{good}},
		{"wrong scope", token{best: scope}, 5, []verdict{scope}},
		{"tenant removed", token{best: good, tenant: history(registered, absent)}, 11.5, []verdict{unknownTenant}},
		{"tenant being removed", token{best: good, tenant: history(registered, absent)}, 9.5, []verdict{good, unknownTenant}},
		{"tenant added again", token{best: good, tenant: history(absent, registered)}, 11.5, []verdict{good}},
		{"other audience", token{best: good, tenant: history(forOthers)}, 5, []verdict{otherAudience}},
		{"other client", token{best: good, tenant: history(forOtherCalls)}, 5, []verdict{otherClient}},
		{"other client, expired", token{best: good, tenant: history(forOtherCalls), expires: at(5)}, 5, []verdict{expired}},
		{"expires later", token{best: good, expires: at(6.5)}, 5, []verdict{good}},
		{"expires meanwhile", token{best: good, expires: at(5.5)}, 5, []verdict{expired, good}},
		{"expires at its begin", token{best: good, expires: at(5)}, 5, []verdict{expired}},
		{"key unknown", token{best: good, key: of(unpublished)}, 5, []verdict{keyNotFound}},
		{"key unknown, others' outage over", token{best: good, key: of(unpublished), sets: []*keySet{healthy, recovered}}, 5, []verdict{keyNotFound}},
		{"key unknown, outage", token{best: good, key: of(unpublished), sets: []*keySet{healthy, down}}, 5, []verdict{keyNotFound, keysUnavailable}},
		{"key published, not known", token{best: good, key: of(unpublished, published)}, 15, []verdict{keyNotFound, good}},
		{"the same where nobody floods", token{best: good, key: &key{history(published), true}}, 15, []verdict{good}},
		{"the same, outage", token{best: good, key: &key{history(published), true}, sets: []*keySet{down}}, 15, []verdict{keysUnavailable, good}},
		{"key known", token{best: good, key: of(published, known)}, 15, []verdict{good}},
		{"key known, outage", token{best: good, key: of(published, known), sets: []*keySet{down}}, 15, []verdict{good}},
		{"key withdrawn", token{best: good, key: of(known, withdrawn)}, 15, []verdict{keyNotFound, good}},
		{"key gone", token{best: good, key: of(withdrawn, gone)}, 15, []verdict{keyNotFound}},
		{"key gone, tenant too", token{best: good, key: of(gone), tenant: history(absent)}, 15, []verdict{unknownTenant}},
	} {
		if got := row.token.permitted(at(row.begin), at(row.begin+1)); !slices.Equal(got, row.want) {
			t.Errorf("%s: got=%v, want=%v", row.name, got, row.want)
		}
	}
}

// A fetch counts for a change if the request that led to it came after the change, and no sooner.
func TestFetches(t *testing.T) {
	t.Parallel()
	s, begin := newKeySet(), time.Now()
	published := begin.Add(time.Second)
	s.fetched(begin, nil) // landed later, but may have begun before
	if _, ok, _ := s.since(published); ok {
		t.Fatal("a fetch that may have begun before a change counts for it")
	}
	s.fetched(published.Add(time.Millisecond), nil)
	if _, ok, _ := s.since(published); !ok {
		t.Fatal("a fetch that began after a change does not count for it")
	}

	s.fetched(time.Now(), errFetch)
	failed := time.Now()
	s.fetched(begin, nil) // ran beside the one that failed
	if !s.failing(failed, failed) {
		t.Fatal("the outage is over with a fetch that began before it")
	}
	s.fetched(failed, nil)
	if now := time.Now(); s.failing(now, now) {
		t.Fatal("the outage is not over with a fetch that began in it")
	}
	if !s.failing(begin, time.Now()) {
		t.Fatal("the outage is forgotten")
	}
}
