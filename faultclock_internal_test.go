package identity

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
	"unsafe"

	"github.com/echo-identity/identity/mockidp"
)

// jumpingClock is a clock of the kind that time.Now is: what it shows may jump, while its monotonic reading goes on.
type jumpingClock struct {
	start time.Time
	ran   time.Duration // by the monotonic reading
	jump  time.Duration // of what it shows, beside that
}

func (c *jumpingClock) now() time.Time { return withWall(c.start.Add(c.ran), c.jump) }

// withWall moves what a time shows and leaves its monotonic reading alone, which nothing in package time can. The first word of a
// time that has such a reading holds 33 bits of seconds above 30 of nanoseconds.
func withWall(t time.Time, jump time.Duration) time.Time {
	word := (*uint64)(unsafe.Pointer(&t))
	*word += uint64(int64(jump/time.Second) << 30)
	return t
}

// Jumps of the wall clock, both ways: keys are used, refreshed and given up by the time that has passed, and cool-downs and pauses end
// when they would have. Only whether a token has expired is the wall clock's to say.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	for name, jump := range map[string]time.Duration{
		"none": 0, "a minute on": time.Minute, "a minute back": -time.Minute, "a day on": 24 * time.Hour, "a day back": -24 * time.Hour,
		"ten years on": 10 * year, "ten years back": -10 * year,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJump(t)
			good, forgery := j.token(), j.token(mockidp.KeyID("unknown"))
			j.verify(good, nil)
			j.fetched(1)

			j.clock.jump = jump
			j.verify(good, nil) // neither expired nor due
			j.verify(j.token(), nil)
			j.fetched(1)
			j.verify(forgery, ErrKeyNotFound)
			j.fetched(2)

			j.clock.jump = 0 // back again, in the cool-down
			j.verify(forgery, ErrKeyNotFound)
			j.clock.jump = jump
			j.clock.ran += 30*time.Second - 1
			j.verify(forgery, ErrKeyNotFound)
			j.fetched(2)
			j.clock.ran++
			j.verify(forgery, ErrKeyNotFound)
			j.fetched(3)

			j.clock.ran += 48*time.Minute - 1
			j.verify(good, nil)
			j.fetched(3)
			remove := j.idp.Inject(mockidp.Fault{Status: 500})
			j.clock.ran++
			j.clock.jump = -jump // amid a refresh that fails
			j.verify(good, nil)
			j.fetched(4)
			j.clock.ran += 24 * time.Hour
			j.clock.ran -= 48 * time.Minute
			j.verify(good, nil) // MaxStale is over after this
			j.fetched(5)
			j.clock.ran++
			j.verify(good, ErrKeysUnavailable)
			remove()
			j.clock.jump = jump
			j.clock.ran += 30*time.Second - 2
			j.verify(good, ErrKeysUnavailable)
			j.clock.ran++
			j.verify(good, nil)
		})
	}
}

// A neighbour: a token does expire when the wall clock says so.
func TestClockJumpsExpireTokens(t *testing.T) {
	t.Parallel()
	j := newJump(t)
	token := j.idp.Tenant(mockidp.Contoso).Token(mockidp.ExpiresIn(time.Hour))
	j.verify(token, nil)
	j.clock.jump = 2 * time.Hour
	j.verify(token, ErrExpired)
	j.clock.jump = -2 * time.Hour
	j.verify(token, ErrNotYetValid)
	j.clock.jump = 0
	j.verify(token, nil)
}

// jump is a verifier on a clock that jumps.
type jump struct {
	*testing.T
	idp   *mockidp.Server
	v     *Verifier
	clock *jumpingClock
}

func newJump(t *testing.T) *jump {
	t.Helper()
	j := &jump{T: t, idp: mockidp.New()}
	var err error
	j.v, err = New(Config{ClientID: mockidp.API, Tenants: NewRegistry(Tenant{ID: mockidp.Contoso}), Keys: KeyOptions{HTTPClient: j.idp.Client()},
		Observe: Observe{Logger: slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatal(err)
	}
	j.clock = &jumpingClock{start: j.v.keys.start}
	j.v.now, j.v.keys.now = j.clock.now, j.clock.now
	j.v.keys.jitter = func() float64 { return 1 }
	return j
}

// token is valid for as long as any clock here may show.
func (j *jump) token(opts ...mockidp.TokenOption) string {
	const lifetime = 20 * 365 * 24 * time.Hour
	long := []mockidp.TokenOption{mockidp.ExpiresIn(lifetime), mockidp.NotBefore(time.Now().Add(-lifetime)), mockidp.IssuedAt(time.Now().Add(-lifetime))}
	return j.idp.Tenant(mockidp.Contoso).Token(append(long, opts...)...)
}

func (j *jump) verify(token string, want error) {
	j.Helper()
	if _, err := j.v.Verify(context.Background(), token); !errors.Is(err, want) {
		j.Fatalf("after %v, with a jump of %v: got=%v, want=%v", j.clock.ran, j.clock.jump, err, want)
	}
}

// fetched requires a number of fetches since the start. It waits for the one in the background, if there is one.
func (j *jump) fetched(want uint64) {
	j.Helper()
	for _, item := range j.v.keys.sets.Items() {
		h := item.Object.(*keyHandle)
		<-h.flights.DoChan("refresh", func() (any, error) { return nil, nil }) // joins it
	}
	if got := j.v.Stats().Fetches; got != want {
		j.Fatalf("fetches, after %v, with a jump of %v: got=%d, want=%d", j.clock.ran, j.clock.jump, got, want)
	}
}
