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
//
// [http.Server.Shutdown] does not wait for connections that were upgraded. Give the server a BaseContext, and cancel it: r.Context is
// made from it, and ends them.
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
	renewals := make(chan string)
	go receive(ctx, conn, renewals)
	if reason := s.talk(ctx, conn, p, renewals); reason != nil {
		conn.Close(websocket.StatusPolicyViolation, reason.Error())
	}
}

// receive hands on the tokens to go on with, until the connection or ctx ends.
func receive(ctx context.Context, conn *websocket.Conn, renewals chan<- string) {
	defer close(renewals)
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var m message
		if err := json.Unmarshal(data, &m); err != nil || m.Renew == "" {
			continue // clients may send something that this server does not know yet
		}
		select {
		case renewals <- m.Renew:
		case <-ctx.Done():
			return
		}
	}
}

var (
	errExpired     = errors.New("the token has expired")
	errAnotherUser = errors.New("the token is another user's")
)

// talk sends orders until the token expires, or the client goes or renews with a token that is not good enough. It returns what to
// tell the client, nil if it is gone.
//
// A tenant that is removed meanwhile keeps its connections until their tokens expire: if that is too long, verify the token again with
// each tick. It costs little, because verified tokens are cached.
func (s *socket) talk(ctx context.Context, conn *websocket.Conn, p *identity.Principal, renewals <-chan string) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	expiry := time.NewTimer(time.Until(p.ExpiresAt))
	defer expiry.Stop()
	if send(ctx, conn, message{Expires: p.ExpiresAt.Unix()}) != nil {
		return nil
	}
	for n := 1; ; {
		var next message
		select {
		case <-expiry.C:
			return errExpired
		case raw, ok := <-renewals:
			if !ok {
				return nil
			}
			renewed, err := s.renew(ctx, p, raw)
			if err != nil {
				return err
			}
			p = renewed
			expiry.Reset(time.Until(p.ExpiresAt))
			next = message{Expires: p.ExpiresAt.Unix()}
		case <-tick.C:
			next = message{Order: n}
			n++
		}
		if send(ctx, conn, next) != nil {
			return nil
		}
	}
}

// renew verifies the token to go on with, as the first one was: also whether it is the same user's, and opens the same door.
func (s *socket) renew(ctx context.Context, before *identity.Principal, raw string) (*identity.Principal, error) {
	p, err := s.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, sentence(err)
	}
	if p.UserKey() != before.UserKey() {
		return nil, errAnotherUser
	}
	if err := s.rule.Check(identity.NewContext(ctx, p)); err != nil {
		return nil, sentence(err)
	}
	return p, nil
}

// sentence is what a client may read of a refusal. The rest of it is for the log.
func sentence(err error) error {
	refusal, _ := identity.AsError(err) // Verify and Check return no other
	return errors.New(refusal.Description)
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
