package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// keepSending sends requests of all kinds for as long as the context lasts.
func (e *example) keepSending(ctx context.Context, origin string) {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			if err := e.traffic(ctx, origin); err != nil && ctx.Err() == nil {
				log.Print(err)
			}
		}
	}
}

// tokens are one of each kind; an empty one is none.
func (e *example) tokens() []string {
	orders := mockidp.Scopes("Orders.Read")
	contoso, shop := e.idp.Tenant(mockidp.Contoso), e.idp.Tenant(mockidp.Shop)
	good := contoso.Token(orders)
	return []string{
		good, good, good, // from the second on out of the cache
		shop.Token(orders, mockidp.Policy("B2C_1_susi")),
		contoso.Token(mockidp.Scopes("Other")),
		contoso.Token(orders, mockidp.ExpiresIn(-time.Hour)),
		contoso.Token(orders, mockidp.KeyID("unknown")), // asks for the keys again
		e.idp.Tenant(mockidp.Fabrikam).Token(orders),    // not registered
		"not.a.token",
		"",
	}
}

// traffic sends each of the tokens once.
func (e *example) traffic(ctx context.Context, origin string) error {
	for _, token := range e.tokens() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/orders", nil)
		if err != nil {
			return err
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			return err
		}
	}
	return nil
}
