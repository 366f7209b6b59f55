package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

const (
	host    = "orders.example"
	address = "ws://" + host // without TLS only because it is in memory
)

// attempt is a client on its way to a connection.
type attempt struct {
	token  string // in Sec-WebSocket-Protocol; empty: none
	cookie string // a token in the cookie; empty: none
	origin string // of the page; empty: no browser
	renew  string // the token to send when the connection stands; empty: none
	enough int    // orders after which the client leaves; zero: it stays as long as it may
}

// outcome is what came of it.
type outcome struct {
	status   int // of the answer to the upgrade
	header   http.Header
	protocol string // that the server chose
	orders   int
	code     websocket.StatusCode // with which the server closed; 0: the client left
	reason   string
	lasted   time.Duration
}

// options are those of the dialer: what a browser sends.
func (a attempt) options(client *http.Client) *websocket.DialOptions {
	options := &websocket.DialOptions{HTTPClient: client, Subprotocols: []string{protocol}, HTTPHeader: make(http.Header)}
	if a.token != "" {
		options.Subprotocols = append(options.Subprotocols, prefix+a.token)
	}
	if a.cookie != "" {
		options.HTTPHeader.Set("Cookie", cookie+"="+a.cookie)
	}
	if a.origin != "" {
		options.HTTPHeader.Set("Origin", a.origin)
	}
	return options
}

// run connects, renews if that is asked for, and reads until it has enough or the server closes.
func (a attempt) run(ctx context.Context, client *http.Client) (o outcome, err error) {
	began := time.Now()
	conn, response, err := websocket.Dial(ctx, address, a.options(client))
	if response == nil {
		return o, err
	}
	o.status, o.header = response.StatusCode, response.Header
	if err != nil {
		return o, nil // refused
	}
	defer conn.CloseNow()
	o.protocol = conn.Subprotocol()
	if a.renew != "" {
		if err := send(ctx, conn, message{Renew: a.renew}); err != nil {
			return o, err
		}
	}
	err = a.read(ctx, conn, &o)
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		o.code, o.reason, err = closed.Code, closed.Reason, nil
	}
	o.lasted = time.Since(began)
	return o, err
}

// read counts orders. It returns why the connection ended, nil if the client has enough.
func (a attempt) read(ctx context.Context, conn *websocket.Conn, o *outcome) error {
	for a.enough == 0 || o.orders < a.enough {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var m message
		if err := json.Unmarshal(data, &m); err != nil {
			return err
		}
		if m.Order > 0 {
			o.orders++
		}
	}
	return nil
}
