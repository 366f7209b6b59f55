package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// patience is how long a client waits for an answer. No right one takes nearly as long.
const patience = 30 * time.Second

// crowd is a number of clients and what they send, in hundredths of all requests. Those that may have to wait for a fetch of keys are a
// crowd of their own, so that the others go on.
type crowd struct{ weights map[class]int }

var crowds = []crowd{
	{map[class]int{classSteady: 60, classChanging: 10, classScope: 5, classExpiring: 4, classNone: 2, classUnknownTenant: 3}},
	{map[class]int{classRotating: 6, classBroken: 6, classUnknownKey: 4}},
}

// send lets a crowd send until the run is over. Requests on their way are answered.
func (a *arena) send(ctx context.Context, c crowd, seed uint64) {
	total, order := 0, []class(nil)
	for class := range classes {
		total += c.weights[class]
		for range c.weights[class] {
			order = append(order, class)
		}
	}
	due := make(chan struct{})
	var clients sync.WaitGroup
	for i := range a.clients {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		clients.Go(func() {
			for range due {
				a.ask(order[random.IntN(len(order))], random)
			}
		})
	}
	pace(ctx, float64(a.rate)*float64(total)/100, due)
	close(due)
	clients.Wait()
}

// pace gives a number of turns per second. When all clients are busy the turns that they miss are lost.
func pace(ctx context.Context, perSecond float64, due chan<- struct{}) {
	begin, given := time.Now(), 0
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for turns := int(now.Sub(begin).Seconds() * perSecond); given < turns; given++ {
				select {
				case due <- struct{}{}:
				default:
				}
			}
		}
	}
}

// ask sends one request and has the answer judged.
func (a *arena) ask(c class, random *rand.Rand) {
	t := a.pools[c].pick(random)
	if t == nil {
		return // no key has been rotated yet
	}
	if c == classUnknownKey {
		t = ofUnknownKey(t, random)
	}
	begin := time.Now()
	got, flaw := a.answer(t)
	end := time.Now()
	a.ledger.judge(t, got, begin, end)
	if flaw != "" {
		a.ledger.fault("%s: %v: %s", classNames[c], got, flaw)
	}
}

// answer sends a token. The flaw is what is wrong with the answer apart from being another one: its headers do not fit it.
func (a *arena) answer(t *token) (got verdict, flaw string) {
	request, err := http.NewRequest(http.MethodGet, a.url+t.path, nil)
	if err != nil {
		return verdict{0, err.Error()}, ""
	}
	if t.header != "" {
		request.Header.Set("Authorization", t.header)
	}
	response, err := a.client.Do(request)
	if err != nil {
		return verdict{0, err.Error()}, ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return verdict{0, err.Error()}, ""
	}
	if response.StatusCode == http.StatusOK {
		return verdict{http.StatusOK, string(body)}, ""
	}
	got = verdict{response.StatusCode, response.Header.Get(reasonHeader)}
	return got, flawOf(got, response.Header)
}

// flawOf checks the challenge and Retry-After (RFC 6750 §3).
func flawOf(v verdict, h http.Header) string {
	challenge, code := h.Get("WWW-Authenticate"), ""
	switch {
	case v.about == "token_missing":
		if challenge != `Bearer realm=""` {
			return "challenge " + challenge
		}
		return ""
	case v.status == http.StatusBadRequest:
		code = "invalid_request"
	case v.status == http.StatusUnauthorized:
		code = "invalid_token"
	case v.about == "scope_missing":
		code = "insufficient_scope"
	case v.status == http.StatusServiceUnavailable && h.Get("Retry-After") == "":
		return "no Retry-After"
	}
	if code == "" && challenge != "" || code != "" && !strings.HasPrefix(challenge, `Bearer realm="", error="`+code+`"`) {
		return "challenge " + challenge
	}
	return ""
}
