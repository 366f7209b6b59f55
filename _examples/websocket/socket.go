package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/echo-identity/identity"
)

// protocol is the subprotocol that the server speaks. Browsers offer it besides bearer.{token}, and get it for an answer: the entry
// with the token must never be chosen, because the choice is echoed to the client and written to logs on the way.
const protocol = "orders"

// socket sends an order each second to callers who may see them. Authentication and guard stand in front of it, so that who is
// refused gets an answer of HTTP, and no connection.
type socket struct {
	verifier *identity.Verifier
	rule     identity.Rule
}

// message is what both sides send.
type message struct {
	Order   int    `json:"order,omitempty"`
	Expires int64  `json:"expires,omitempty"` // when the server will close: renew before
	Renew   string `json:"renew,omitempty"`   // from the client: the token to go on with
}

// ServeHTTP upgrades. Accept compares Origin with the host, so that no page of another site can use a visitor's cookie: a browser
// knows neither CORS nor a preflight request for a WebSocket.
func (s *socket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, ok := identity.FromContext(r.Context())
	if !ok {
		http.Error(w, "no authentication in front of the socket", http.StatusInternalServerError)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol}})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(80 << 10) // room for the longest token
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if reason := s.talk(ctx, conn, p); reason != nil {
		conn.Close(websocket.StatusPolicyViolation, reason.Error())
	}
}

var errExpired = errors.New("the token has expired")

// talk sends orders until the token expires, the client goes, or renews with a token that does not do. It returns what to tell the
// client, nil if it is gone.
func (s *socket) talk(ctx context.Context, conn *websocket.Conn, p *identity.Principal) error {
	received, gone := make(chan message), make(chan struct{})
	go func() { // ends with the connection, or with ctx
		defer close(gone)
		for {
			_, data, err := conn.Read(ctx)
			if err != nil {
				return
			}
			var m message
			if err := json.Unmarshal(data, &m); err != nil {
				continue
			}
			select {
			case received <- m:
			case <-ctx.Done():
				return
			}
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	expiry := time.NewTimer(time.Until(p.ExpiresAt))
	defer expiry.Stop()
	if send(ctx, conn, message{Expires: p.ExpiresAt.Unix()}) != nil {
		return nil
	}
	for n := 1; ; {
		select {
		case <-gone:
			return nil
		case <-expiry.C:
			return errExpired
		case m := <-received:
			if m.Renew == "" {
				continue
			}
			renewed, err := s.renew(ctx, p, m.Renew)
			if err != nil {
				return err
			}
			p = renewed
			expiry.Reset(time.Until(p.ExpiresAt))
			if send(ctx, conn, message{Expires: p.ExpiresAt.Unix()}) != nil {
				return nil
			}
		case <-tick.C:
			if send(ctx, conn, message{Order: n}) != nil {
				return nil
			}
			n++
		}
	}
}

// renew verifies the token to go on with, as the first one was: also whether it is the same user's, and opens the same door.
func (s *socket) renew(ctx context.Context, before *identity.Principal, raw string) (*identity.Principal, error) {
	p, err := s.verifier.Verify(ctx, raw)
	if err == nil && p.UserKey() != before.UserKey() {
		return nil, errors.New("the token is another user's")
	}
	if err == nil {
		err = s.rule.Check(identity.NewContext(ctx, p))
	}
	if err != nil {
		refusal, _ := identity.AsError(err)
		return nil, errors.New(refusal.Description) // not err: its text is for the log
	}
	return p, nil
}

func send(ctx context.Context, conn *websocket.Conn, m message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("not reached: two numbers and a string: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, data)
}
