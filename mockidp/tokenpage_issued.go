package mockidp

import (
	"fmt"
	"strconv"
	"sync"
	"time"
)

// maxIssued bounds what the token page offers of what was issued.
const maxIssued = 20

// issuedTokens are the tokens that clients were given last, for the token page. They are in memory alone, in no record or log.
type issuedTokens struct {
	mu     sync.Mutex // guards what follows
	latest []issuedToken
	count  int // how many there ever were, which numbers them
}

// issuedToken is a token that a client was given.
type issuedToken struct {
	Number int
	Kind   string // access token, ID token; never empty
	Who    string // user or application, client and grant, as a line
	Time   time.Time
	raw    string
}

// noteIssued offers a token that a client is given now on the token page.
func (s *Server) noteIssued(kind, who, raw string) {
	s.issued.add(kind, who, raw, s.now())
}

func (i *issuedTokens) add(kind, who, raw string, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count++
	i.latest = append(i.latest, issuedToken{Number: i.count, Kind: kind, Who: who, Time: now, raw: raw})
	if len(i.latest) > maxIssued {
		i.latest = append([]issuedToken(nil), i.latest[1:]...)
	}
}

// list is a copy, the latest first.
func (i *issuedTokens) list() []issuedToken {
	i.mu.Lock()
	defer i.mu.Unlock()
	list := make([]issuedToken, 0, len(i.latest))
	for n := len(i.latest) - 1; n >= 0; n-- {
		list = append(list, i.latest[n])
	}
	return list
}

// find is the token of a number, as the page's address has it.
func (i *issuedTokens) find(number string) (raw, problem string) {
	for _, t := range i.list() {
		if strconv.Itoa(t.Number) == number {
			return t.raw, ""
		}
	}
	return "", fmt.Sprintf("The server no longer has the token that it issued as number %s; it keeps the latest %d.", strconv.Quote(number), maxIssued)
}
