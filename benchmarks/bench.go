package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/report"
)

// sizes say how much is measured.
type sizes struct {
	plan        measure.Plan
	users       int
	tenants     int   // that the users are in
	registered  []int // how many tenants the registry has, where that is the question: one, many, most
	peerTenants int   // how many tenants keyfunc and go-oidc are set up for
	flood       time.Duration
	cooldown    time.Duration // between two forced refreshes of keys
	loadRounds  int
	loadTime    time.Duration // of each server in a round
}

var fullSizes = sizes{
	plan: measure.Full, users: corpus.Users, tenants: corpus.Tenants, registered: []int{1, 1_000, 100_000},
	peerTenants: 200, flood: 10 * time.Second, cooldown: 2 * time.Second, loadRounds: 10, loadTime: 2 * time.Second,
}

// bench is one run: what is measured on, and what the plots need of what was measured.
type bench struct {
	sizes
	ctx    context.Context
	corpus *corpus.Corpus
	mixed  []*corpus.Token // all users' tokens in no order, as requests come

	peers []measure.Cost // whole
	scale []scaleOf      // by number of tenants
	held  struct{ identity, keyfunc, goOIDC heldPerTenant }
	node  *nodeReport
}

func newBench(ctx context.Context, s sizes) (*bench, error) {
	c, err := corpus.New(s.users, s.tenants)
	if err != nil {
		return nil, err
	}
	b := &bench{sizes: s, ctx: ctx, corpus: c, mixed: make([]*corpus.Token, len(c.Users))}
	for i, j := range rand.New(rand.NewPCG(5, 6)).Perm(len(c.Users)) {
		b.mixed[i] = c.Users[j]
	}
	return b, nil
}

// unit is raw RSA over the same tokens.
func (b *bench) unit(tokens []*corpus.Token) measure.Subject {
	return over("crypto/rsa alone", tokens, b.corpus.RSA)
}

// over is an operation on one token after the other.
func over(name string, tokens []*corpus.Token, do func(*corpus.Token) error) measure.Subject {
	return measure.Subject{Name: name, Do: func(i int) error { return do(tokens[i%len(tokens)]) }}
}

// The columns of costs.
var costColumns = []string{"", "ratio", "lowest", "highest", "µs", "allocs", "bytes"}

// explanation says how figures come about, once for all tables.
func (b *bench) explanation() string {
	return fmt.Sprintf("A ratio is processor time as a multiple of what one RSA-2048 verification of the same bytes takes, SHA-256 included, with "+
		"nothing but crypto/rsa. Subject and RSA take turns of %v on one processor; %d turns are a round, and what counts is the median of %d "+
		"rounds, beside their lowest and highest. Garbage collection is included, and other programs on the machine are not. Allocations and "+
		"bytes are counted. Tokens have %d bytes and 22 claims and are those of %s users of %s tenants; the key set has %d keys.",
		b.plan.Turn, b.plan.Turns, b.plan.Rounds, len(b.mixed[0].Raw), thousands(len(b.mixed)), thousands(b.tenants), corpus.Keys)
}

func costRow(c measure.Cost, targets ...report.Target) report.Row {
	low, high := c.Spread()
	return report.Row{Targets: targets, Cells: []string{
		c.Name, ratio(c.Ratio), ratio(low), ratio(high),
		fmt.Sprintf("%.2f", c.Time.Seconds()*1e6), fmt.Sprint(c.Allocs), fmt.Sprint(c.Bytes),
	}}
}

func costRows(costs []measure.Cost) (rows []report.Row) {
	for _, c := range costs {
		rows = append(rows, costRow(c))
	}
	return rows
}

// ratio writes a ratio with three digits, and small ones with as many as tell them apart.
func ratio(r float64) string { return fmt.Sprintf("%.3f", r) }

func ratioAtMost(c measure.Cost, limit float64) report.Target {
	return report.AtMost(c.Ratio, limit, "%.2f")
}
