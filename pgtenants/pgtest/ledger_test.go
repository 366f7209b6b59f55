package pgtest

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A tenant is added at 10 s, removed at 20 s, added again at 30 s by a change that fails, and removed at 40 s; each change takes a second.
func TestLedger(t *testing.T) {
	for _, c := range []struct {
		at     int // in tenths of a second, when a request begins; it takes a tenth
		status int
		wrong  bool
	}{
		{50, 401, false}, {50, 200, true}, {50, 503, false}, {50, 500, true},
		{97, 200, true}, {99, 200, false}, {100, 200, false}, {105, 401, false}, {109, 401, false},
		{150, 200, false}, {129, 401, false}, {131, 401, true}, {150, 401, true}, {150, 503, false},
		{199, 401, false}, {198, 401, true}, {205, 401, false}, {205, 200, false}, {220, 401, false}, {220, 200, false},
		{259, 200, false}, {261, 200, true}, // 5 seconds after 21
		{299, 200, false}, {350, 200, false}, {350, 401, false}, {390, 401, false},
		{459, 200, false}, {461, 200, true}, {461, 401, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			at := func(tenths int) time.Time { return begin.Add(time.Duration(tenths) * 100 * time.Millisecond) }
			l := Ledger{Stale: 5 * time.Second, Fresh: 2 * time.Second}
			for i, fails := range []error{nil, nil, errors.New("failed"), nil} {
				time.Sleep(time.Until(at(100 + 100*i)))
				err := l.Change("a", i%2 == 0, func() error { time.Sleep(time.Second); return fails })
				if err != fails {
					t.Fatal(err)
				}
			}
			if l.Trusted("a") || l.Trusted("b") {
				t.Fatal("trusted")
			}
			l.Judge("a", c.status, at(c.at), at(c.at+1))
			v := l.Verdict()
			if v.WrongCount > 0 != c.wrong {
				t.Errorf("%d at %d: got=%+v, want wrong %v", c.status, c.at, v, c.wrong)
			}
			if c.at == 259 && v.Lag != 4900*time.Millisecond {
				t.Errorf("lag: got=%v, want=4.9s", v.Lag)
			}
			if (v.Refused == 1) != (c.at == 150 && c.status == 503) {
				t.Errorf("%d at %d: got=%d refused", c.status, c.at, v.Refused)
			}
		})
	}
}
