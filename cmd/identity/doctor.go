package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/echo-identity/identity"
)

const aboutDoctor = `Fetches every key set that the tenants of a configuration imply, with the
client and the rules that the API itself uses, and says what is wrong and what
to do about it: name service, proxy, TLS and certificate, clock, discovery
document, keys. Nothing is sent but the requests the API would send.

Exit codes: 0 all is well, or merely a warning; 1 a problem, for which tokens
are refused now or soon; 2 the command line or the file makes no sense.

Examples:
  identity doctor -config tenants.json
      a table, with the problems below it

  identity doctor -config tenants.json -since keys.json
      also what has changed in the keys since the last run with keys.json,
      which is written anew each time: for a job that runs every hour

  identity doctor -config tenants.json -json | jq '.key_sets[].problems'
      for programs

  identity mockidp & identity doctor -config local.json -ca-file mockidp-ca.pem
      against the mock, with "Cloud": "https://localhost:8443" in local.json

identity help config describes the file.
`

// doctorFlags are the flags of identity doctor.
type doctorFlags struct {
	config, caFile, since string
	json                  bool
}

func (f *doctorFlags) set() *flag.FlagSet {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.StringVar(&f.config, "config", "", "the `file` with the tenants (required)")
	flags.StringVar(&f.caFile, "ca-file", "", "a `file` of certificate authorities, in PEM, to trust besides the system's")
	flags.StringVar(&f.since, "since", "", "a `file` to compare the keys with, and to remember them in")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	return flags
}

// Kinds of tenants, as far as advice differs.
const (
	kindWorkforce = "workforce"
	kindB2C       = "B2C"
	kindExternal  = "External ID"
)

// runDoctor checks a configuration.
func runDoctor(ctx context.Context, args []string, s streams) error {
	var f doctorFlags
	if err := parse(f.set(), aboutDoctor, args, s.out); err != nil {
		return err
	}
	if f.config == "" {
		return usageError{errNoConfig}
	}
	c, err := readConfigFile(f.config)
	if err != nil {
		return usageError{err}
	}
	client, err := keyClient(f.caFile)
	if err != nil {
		return usageError{err}
	}
	var before *keyState
	if f.since != "" {
		if before, err = readKeyState(f.since); err != nil {
			return usageError{err}
		}
	}
	found, err := examine(ctx, c, client)
	if err != nil {
		return err
	}
	found.Config = f.config
	if before != nil {
		before.compare(found)
		if err := before.write(f.since); err != nil {
			return fmt.Errorf("-since %s: %w", f.since, err)
		}
	}
	if f.json {
		err = printJSON(s.out, found)
	} else {
		err = found.print(terminalOf(s.out, s.env), before != nil)
	}
	if err == nil && found.Verdict != "good" {
		err = exitCode(exitFailed)
	}
	return err
}

// keyClient is the engine's own client, that may trust further authorities.
func keyClient(caFile string) (*http.Client, error) {
	client := identity.NewKeyClient()
	if caFile == "" {
		return client, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("-ca-file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("-ca-file %s: there is no certificate in it", caFile)
	}
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	return client, nil
}

// examine lets the engine fetch every key set, and watches it.
func examine(ctx context.Context, c *configFile, client *http.Client) (*checkup, error) {
	watch := &probe{next: client.Transport, exchanges: make(map[string]*exchange)}
	defer client.CloseIdleConnections()
	var (
		mu      sync.Mutex // guards fetched
		fetched = make(map[identity.KeySet]identity.FetchInfo)
	)
	cfg := c.Config
	cfg.Keys.HTTPClient = &http.Client{Transport: watch}
	cfg.Observe = identity.Observe{Logger: slog.New(slog.DiscardHandler), Trace: identity.Trace{
		KeysFetched: func(_ context.Context, info identity.FetchInfo) {
			mu.Lock()
			defer mu.Unlock()
			fetched[identity.KeySet{Metadata: info.Metadata, TenantID: info.TenantID}] = info
		},
	}}
	v, err := identity.New(cfg)
	if err != nil {
		return nil, err // not reached: the file was checked with the same fields
	}
	found := &checkup{Verdict: "good", Time: time.Now().UTC().Truncate(time.Second), Tenants: len(c.list), KeySets: keySetsOf(v, c.list)}
	v.Warm(ctx) // what failed is in fetched
	leeway := effectiveLeeway(cfg.Leeway)
	found.Leeway = leeway.String()
	mu.Lock()
	defer mu.Unlock()
	for i := range found.KeySets {
		k := &found.KeySets[i]
		info, ok := fetched[k.id]
		if !ok {
			info.Err = context.Canceled
		}
		k.judge(info, watch, leeway, found.Time)
		if k.Status == "problem" {
			found.Verdict = "problems"
		}
	}
	found.judge(cfg.Keys)
	return found, nil
}

// effectiveLeeway is what the zero value and negative ones mean.
func effectiveLeeway(d time.Duration) time.Duration {
	if d == 0 {
		return time.Minute
	}
	return max(d, 0)
}

// keySetsOf lists the key sets in the order of the tenants in the file.
func keySetsOf(v *identity.Verifier, list []identity.Tenant) []keySetCheck {
	type key struct{ id, kind string }
	order := make(map[key]int, len(list))
	for i, t := range list {
		order[key{strings.ToLower(t.ID), kindOfTenant(t)}] = i
	}
	type user struct {
		tenantRef
		place int
	}
	users := make(map[identity.KeySet][]user)
	kinds := make(map[identity.KeySet]string)
	for t, sets := range v.KeySets() {
		for _, set := range sets {
			kinds[set] = kindOfTenant(t)
			users[set] = append(users[set], user{tenantRef{t.ID, t.Name}, order[key{t.ID, kindOfTenant(t)}]})
		}
	}
	var checks []keySetCheck
	places := make(map[identity.KeySet]int)
	for set, of := range users {
		slices.SortFunc(of, func(a, b user) int { return a.place - b.place })
		k := keySetCheck{Address: set.Metadata, Kind: kinds[set], id: set}
		for _, u := range of {
			k.Tenants = append(k.Tenants, u.tenantRef)
		}
		places[set] = of[0].place
		checks = append(checks, k)
	}
	slices.SortFunc(checks, func(a, b keySetCheck) int {
		return cmp.Or(places[a.id]-places[b.id], strings.Compare(a.Address, b.Address))
	})
	return checks
}

func kindOfTenant(t identity.Tenant) string {
	switch {
	case t.B2C != nil:
		return kindB2C
	case t.External != nil:
		return kindExternal
	}
	return kindWorkforce
}

// printJSON writes a value for programs. Nothing is escaped that only a page would need escaped.
func printJSON(w interface{ Write([]byte) (int, error) }, value any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(value)
}

var errForeignState = errors.New("is there, and was not written by identity doctor: name another file")
