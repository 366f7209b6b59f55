package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
)

// measureRefusals measures tokens that must not be accepted and that anybody can make.
func (b *bench) measureRefusals() (report.Section, error) {
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	refused, err := b.corpus.Refuse(len(b.corpus.OfOneTenant()))
	if err != nil {
		return report.Section{}, err
	}
	verifier, err := peers.NewVerifier(b.corpus, identity.NewRegistry(peers.Registered(b.tenants)...), 0)
	if err != nil {
		return report.Section{}, err
	}
	all, err := peers.All(ctx, b.corpus)
	if err != nil {
		return report.Section{}, err
	}
	golangJWT, stack := all[0], peers.NewStack(peers.Identity(verifier)...)
	kinds := []struct {
		name   string
		tokens []*corpus.Token
		want   error
		limit  float64
	}{
		{"junk", refused.Junk, identity.ErrTokenMalformed, junkTarget},
		{"unknown tenant", refused.UnknownTenant, identity.ErrUnknownTenant, unknownTarget},
		{"unknown key", refused.UnknownKey, identity.ErrKeyNotFound, unknownTarget},
		{"a megabyte", []*corpus.Token{corpus.Oversized()}, identity.ErrTokenTooLarge, junkTarget},
	}
	var subjects []measure.Subject
	for _, kind := range kinds {
		for _, token := range kind.tokens { // for the right reason
			if _, err := verifier.Verify(b.ctx, token.Raw); !errors.Is(err, kind.want) {
				return report.Section{}, fmt.Errorf("%s: got=%v, want=%w", kind.name, err, kind.want)
			}
		}
		subjects = append(subjects,
			over(kind.name+", Verify", kind.tokens, refusedBy(verifyWith(b.ctx, verifier))),
			over(kind.name+", golang-jwt", kind.tokens, refusedBy(golangJWT.Verify)))
		if !errors.Is(kind.want, identity.ErrTokenTooLarge) { // which is a 400, and no request line or header is as long
			subjects = append(subjects, over(kind.name+", whole Echo stack with its answer", kind.tokens, stack.Refuse))
		}
	}
	costs, err := b.plan.Compare(b.unit(b.mixed), subjects...)
	if err != nil {
		return report.Section{}, err
	}
	rows := costRows(costs)
	for i, kind := range kinds {
		own := 3 * i // the first row of each kind
		rows[own].Targets = []report.Target{ratioAtMost(costs[own], kind.limit)}
	}
	last := 3 * (len(kinds) - 1)
	rows[last].Targets = append(rows[last].Targets, report.AtMost(float64(costs[last].Bytes), hugeBytesTarget, "%.0f bytes"))
	return report.Section{Title: "Refusals", Note: "golang-jwt looks at the issuer after the signature. The whole Echo stack " +
		"also writes the answer, a challenge and a JSON body.", Columns: costColumns, Rows: rows}, nil
}

// refusedBy is a verification that has to fail.
func refusedBy(verify func(*corpus.Token) error) func(*corpus.Token) error {
	return func(t *corpus.Token) error {
		if verify(t) == nil {
			return errors.New("accepted")
		}
		return nil
	}
}
