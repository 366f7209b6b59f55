package mockidp

import (
	"net/http"
	"sync"
	"time"
)

var clockCalls = []adminEndpoint{
	{"GET", "clock", "the time", nil, (*adminCall).getClock},
	{"PUT", "clock", "sets the clock", nil, (*adminCall).setClock},
	{"POST", "clock/advance", "moves the clock", nil, (*adminCall).advanceClock},
	{"DELETE", "clock", "sets the clock right", nil, (*adminCall).resetClock},
}

// movableClock is another clock plus what it was moved by. The zero value shows the same time.
type movableClock struct {
	base func() time.Time // set once, before use

	mu      sync.Mutex // guards what follows
	offset  time.Duration
	stopped time.Time // zero: it runs
}

// over puts the clock on top of another one.
func (c *movableClock) over(base func() time.Time) func() time.Time {
	c.base = base
	return c.now
}

func (c *movableClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read()
}

// read is now; mu is held.
func (c *movableClock) read() time.Time {
	if !c.stopped.IsZero() {
		return c.stopped
	}
	return c.base().Add(c.offset)
}

// move sets the clock to what f makes of its time. It refuses times that certificates of the server are not valid at.
func (c *movableClock) move(f func(now time.Time, stopped bool) (to time.Time, stop bool)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	to, stop := f(c.read(), !c.stopped.IsZero())
	if to.Year() < 1990 || to.Year() >= 2100 {
		return refused(http.StatusBadRequest, "", "the clock goes from 1990 to 2099")
	}
	if c.stopped = to; !stop {
		// Round: a monotonic reading would be compared with, not the time of day.
		c.stopped, c.offset = time.Time{}, to.Sub(c.base().Round(0))
	}
	return nil
}

func (c *adminCall) getClock() (any, error) {
	clock := &c.srv.admin.clock
	clock.mu.Lock()
	defer clock.mu.Unlock()
	return object{
		{"time", clock.read().UTC()},
		{"stopped", !clock.stopped.IsZero()},
		{"ahead", clock.read().Sub(clock.base()).Round(time.Millisecond).String()},
	}, nil
}

// setClock takes {"time": "2030-01-01T00:00:00Z", "stopped": true}. Without a time it stops or starts the clock as it is.
func (c *adminCall) setClock() (any, error) {
	var in struct {
		Time    time.Time `json:"time"`
		Stopped bool      `json:"stopped"`
	}
	if err := c.read(&in, nil); err != nil {
		return nil, err
	}
	if err := c.srv.admin.clock.move(func(now time.Time, _ bool) (time.Time, bool) {
		if in.Time.IsZero() {
			return now, in.Stopped
		}
		return in.Time, in.Stopped
	}); err != nil {
		return nil, err
	}
	return c.getClock()
}

// advanceClock takes {"by": "90m"}. A stopped clock stays stopped.
func (c *adminCall) advanceClock() (any, error) {
	var in struct {
		By duration `json:"by"`
	}
	if err := c.read(&in, func(p *problems) {
		if in.By == 0 {
			p.add(".by", "is required")
		}
	}); err != nil {
		return nil, err
	}
	if err := c.srv.admin.clock.move(func(now time.Time, stopped bool) (time.Time, bool) {
		return now.Add(time.Duration(in.By)), stopped
	}); err != nil {
		return nil, err
	}
	return c.getClock()
}

func (c *adminCall) resetClock() (any, error) {
	clock := &c.srv.admin.clock
	clock.mu.Lock()
	clock.offset, clock.stopped = 0, time.Time{}
	clock.mu.Unlock()
	return c.getClock()
}

// duration is written as Go does: "1h30m", "-5s".
type duration time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}
