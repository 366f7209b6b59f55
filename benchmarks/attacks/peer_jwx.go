package main

import (
	"context"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/echo-identity/identity/mockidp"
)

// jwxV3 parses with a key set. Microsoft's keys say nothing of their algorithm, for which the documentation has an option, in the
// very example that names Azure.
func jwxV3(ctx context.Context, t *target) (verify, error) {
	keys, err := jwk.Fetch(ctx, t.keySet, jwk.WithHTTPClient(t.client))
	if err != nil {
		return nil, err
	}
	withKeys := jwt.WithKeySet(keys, jws.WithInferAlgorithmFromKey(true))
	return func(raw string) error {
		_, err := jwt.ParseString(raw, withKeys)
		return err
	}, nil
}

// strictJWX writes the algorithm into the keys, as the documentation prefers it, and asks for everything that can be asked for. Some
// of that only package jws offers, so that the signature is checked twice; one setting is global, and put back.
func strictJWX(ctx context.Context, t *target) (verify, error) {
	keys, err := jwk.Fetch(ctx, t.keySet, jwk.WithHTTPClient(t.client))
	if err != nil {
		return nil, err
	}
	for i := range keys.Len() {
		key, _ := keys.Key(i)
		if _, ok := key.Algorithm(); ok {
			continue
		}
		if err := key.Set(jwk.AlgorithmKey, jwa.RS256()); err != nil {
			return nil, err
		}
	}
	return func(raw string) error {
		if _, err := jws.Verify([]byte(raw), jws.WithKeySet(keys), jws.WithCompact(), jws.WithCritValidation(true), jws.WithAlgorithmMatch(true),
			jws.WithValidateKey(true)); err != nil {
			return err
		}
		jwt.Settings(jwt.WithNumericDateParsePedantic(true))
		defer jwt.Settings(jwt.WithNumericDateParsePedantic(false))
		_, err := jwt.ParseString(raw, jwt.WithKeySet(keys), jwt.WithIssuer(t.tenant.Issuer()), jwt.WithAudience(mockidp.API), jwt.WithRequiredClaim("exp"),
			jwt.WithRequiredClaim("nbf"), jwt.WithRequiredClaim("iat"), jwt.WithPedantic(true), jwt.WithStrictStringClaims(true))
		return err
	}, nil
}
