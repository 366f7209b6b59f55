package identity_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// C24: after any number of faults, goroutines and memory are what they were. Not parallel: the figures are those of the process.
func TestFaultsLeaveNothing(t *testing.T) {
	f := newFaultAPI(t)
	good := func() string { return f.good(mockidp.ExpiresIn(decade)) }
	round := func() {
		for _, fault := range unstated {
			lift := f.begin(t, fault)
			if fault.slow {
				f.patience(100 * time.Millisecond)
			}
			f.advance(25 * time.Hour) // older than MaxStale: as if no keys were known
			pause := f.get(good()).refused(t, identity.ErrKeysUnavailable).RetryAfter
			f.fails(t, fault.cause)
			lift()
			f.advance(pause)
			f.get(good()).accepted(t)
			f.succeeds(t)
		}
		f.idp.ResetCounts() // the mock's own memory
		f.log.reset()
	}
	round()
	goroutines, heap := f.level(t, 0)
	for range 2 {
		round()
	}
	if _, after := f.level(t, goroutines); after > heap+512<<10 { // a small document kept of each fetch is more
		t.Fatalf("heap: got=%d KiB, want about %d", after>>10, heap>>10)
	}
}

// level is how many goroutines there are, and how many bytes are in use, once all connections are closed. Unless most is zero it
// waits until there are no more goroutines than that.
func (f *faultAPI) level(t testing.TB, most int) (goroutines int, heap uint64) {
	t.Helper()
	f.network.transport.CloseIdleConnections()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for before, same, deadline := 0, 0, time.Now().Add(30*time.Second); ; before = goroutines {
		<-tick.C
		goroutines = runtime.NumGoroutine()
		if same++; goroutines != before {
			same = 0
		}
		if most > 0 && goroutines <= most || most == 0 && same == 10 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("goroutines: got=%d, want=%d\n%s", goroutines, most, running())
		}
	}
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers let go of
	runtime.ReadMemStats(&stats)
	return goroutines, stats.HeapAlloc
}

// C17: of a body of 256 MiB, packed or not, no more is read than a document may have. Not parallel, as above.
func TestHugeBodiesCostLittle(t *testing.T) {
	bomb() // made once, not counted
	f := newFaultAPI(t)
	for name, fault := range map[string]func(*network) func(){
		"discovery":   spoilt(mockidp.Fault{Endpoint: onDiscovery, PadTo: 256 << 20}),
		"keys":        spoilt(mockidp.Fault{Endpoint: onKeys, PadTo: 256 << 20}),
		"packed":      bombed(onDiscovery),
		"packed keys": bombed(onKeys),
	} {
		remove := fault(f.network)
		var before, after runtime.MemStats
		good := f.good()
		runtime.ReadMemStats(&before)
		pause := f.get(good).refused(t, identity.ErrKeysUnavailable).RetryAfter
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 24<<20 { // both sides, and the buffer grows by doubling
			t.Errorf("%s: allocated: got=%d KiB, want at most 24 MiB", name, got>>10)
		}
		remove()
		f.advance(pause)
		f.get(good).accepted(t)
		f.advance(25 * time.Hour)
	}
}

func (s *syncBuffer) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.Reset()
}
