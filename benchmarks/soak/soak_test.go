package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

var errFetch = errors.New("the key server does not answer")

// A soak in small: whatever does not take a minute happens at least once, and every answer is right.
func TestSoak(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), strings.Fields("-duration 6s -rate 200 -tenants 40 -users 200 -clients 24"), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"-duration 10ms", "-rate 1", "-tenants 19", "-users 9", "-clients 0", "-nothing"} {
		if err := run(context.Background(), strings.Fields(args), new(bytes.Buffer)); err == nil {
			t.Errorf("%s: got=nil, want an error", args)
		}
	}
}

// What is wrong is counted as what it is, said in words, and ends the run with an error.
func TestLedger(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	good, broken := &token{best: verdict{200, "user"}}, &token{best: verdict{401, "signature_invalid"}, class: classBroken}
	for _, row := range []struct {
		name        string
		token       *token
		got         verdict
		wrong, lost int64
	}{
		{"right", good, verdict{200, "user"}, 0, 0},
		{"refused", good, verdict{401, "key_not_found"}, 0, 1},
		{"no answer", good, verdict{0, "EOF"}, 0, 1},
		{"another user's", good, verdict{200, "another"}, 1, 0},
		{"rightly refused", broken, verdict{401, "signature_invalid"}, 0, 0},
		{"accepted", broken, verdict{200, "user"}, 1, 0},
		{"another reason", broken, verdict{401, "token_expired"}, 1, 0},
	} {
		l := newLedger()
		l.judge(row.token, row.got, begin, begin.Add(time.Millisecond))
		if wrong, lost := l.wrong.Load(), l.lost.Load(); wrong != row.wrong || lost != row.lost || len(l.faults) != int(wrong+lost) {
			t.Errorf("%s: got=%d wrong, %d lost, %q, want=%d, %d", row.name, wrong, lost, l.faults, row.wrong, row.lost)
		}
		r := &result{ledger: l}
		for c := range classes {
			l.sent[c].Store(1)
		}
		var out bytes.Buffer
		if err := r.conclude(&out); (err != nil) != (row.wrong+row.lost > 0) {
			t.Errorf("%s: got=%v\n%s", row.name, err, &out)
		}
	}
}

func TestFlaws(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		got       verdict
		challenge string
		retry     string
		flawed    bool
	}{
		{verdict{401, "token_missing"}, `Bearer realm=""`, "", false},
		{verdict{401, "token_missing"}, `Bearer realm="", error="invalid_token"`, "", true},
		{verdict{401, "token_expired"}, `Bearer realm="", error="invalid_token", error_description="x"`, "", false},
		{verdict{401, "token_expired"}, "", "", true},
		{verdict{400, "token_too_large"}, `Bearer realm="", error="invalid_request"`, "", false},
		{verdict{403, "scope_missing"}, `Bearer realm="", error="insufficient_scope"`, "", false},
		{verdict{403, "client_not_allowed"}, "", "", false},
		{verdict{503, "keys_unavailable"}, "", "1", false},
		{verdict{503, "keys_unavailable"}, "", "", true},
		{verdict{503, "keys_unavailable"}, `Bearer realm=""`, "1", true},
	} {
		h := http.Header{}
		for name, value := range map[string]string{"WWW-Authenticate": row.challenge, "Retry-After": row.retry} {
			if value != "" {
				h.Set(name, value)
			}
		}
		if flaw := flawOf(row.got, h); (flaw != "") != row.flawed {
			t.Errorf("%v with %v: got=%q", row.got, h, flaw)
		}
	}
}

// Quantiles are at most a sixteenth of a doubling too high.
func TestHistogram(t *testing.T) {
	t.Parallel()
	var h histogram
	if got := h.quantile(0.5); got != 0 {
		t.Fatalf("empty: got=%v", got)
	}
	for i := range 100 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	for share, want := range map[float64]time.Duration{0.5: 50 * time.Millisecond, 0.99: 99 * time.Millisecond} {
		if got := h.quantile(share); got < want || got > want*105/100 {
			t.Errorf("%v: got=%v, want=%v", share, got, want)
		}
	}
}
