package main

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"

	"github.com/echo-identity/identity/benchmarks/corpus"
	speed "github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/mockidp"
)

// strictParser has every option of golang-jwt that makes it refuse more, each as its comment recommends it.
func strictParser(t *target) *jwt.Parser {
	return jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(t.tenant.Issuer()), jwt.WithAudience(mockidp.API),
		jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding())
}

// echoJWT has a KeyFunc, as tokens of an external party need it. The comment on that field asks it to verify the algorithm and to
// select the key; nothing asks for an issuer or an audience.
func echoJWT(_ context.Context, t *target) (verify, error) {
	return inEcho(echojwt.WithConfig(echojwt.Config{KeyFunc: keysAtHand(t)})), nil
}

// strictEchoJWT brings the strictest parser along, through the field that is there for it.
func strictEchoJWT(_ context.Context, t *target) (verify, error) {
	parser, keys := strictParser(t), keysAtHand(t)
	return inEcho(echojwt.WithConfig(echojwt.Config{
		ParseTokenFunc: func(_ echo.Context, raw string) (any, error) { return parser.Parse(raw, keys) },
	})), nil
}

// keysAtHand are the published keys by their IDs.
func keysAtHand(t *target) jwt.Keyfunc {
	keys := make(map[string]*rsa.PublicKey)
	for _, key := range t.tenant.Keys().Published() {
		keys[key.ID()] = key.Public()
	}
	return func(token *jwt.Token) (any, error) {
		if token.Method.Alg() != "RS256" {
			return nil, fmt.Errorf("unexpected signing method %v", token.Header["alg"])
		}
		kid, ok := token.Header["kid"].(string)
		if !ok {
			return nil, errors.New("the header has no kid")
		}
		key, ok := keys[kid]
		if !ok {
			return nil, fmt.Errorf("no key %q", kid)
		}
		return key, nil
	}
}

// inEcho lets in what reaches the handler of an Echo application.
func inEcho(middleware echo.MiddlewareFunc) verify {
	stack := speed.NewStack(middleware)
	return func(raw string) error { return stack.Accept(corpus.Bearer(raw)) }
}

// newKeyfunc is keyfunc.NewDefaultCtx of its README, with the mock's client, and without its log.
func newKeyfunc(ctx context.Context, t *target) (keyfunc.Keyfunc, error) {
	return keyfunc.NewDefaultOverrideCtx(ctx, []string{t.keySet}, keyfunc.Override{
		Client:                  t.client,
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) { return func(context.Context, error) {} },
	})
}

// keyfuncV3 is both steps of its README.
func keyfuncV3(ctx context.Context, t *target) (verify, error) {
	keys, err := newKeyfunc(ctx, t)
	if err != nil {
		return nil, err
	}
	return func(raw string) error {
		_, err := jwt.Parse(raw, keys.Keyfunc)
		return err
	}, nil
}

// strictKeyfunc also asks each key what it is for.
func strictKeyfunc(ctx context.Context, t *target) (verify, error) {
	loose, err := newKeyfunc(ctx, t)
	if err != nil {
		return nil, err
	}
	keys, err := keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: loose.Storage(), UseWhitelist: []jwkset.USE{jwkset.UseSig}})
	if err != nil {
		return nil, err
	}
	parser := strictParser(t)
	return func(raw string) error {
		_, err := parser.Parse(raw, keys.Keyfunc)
		return err
	}, nil
}
