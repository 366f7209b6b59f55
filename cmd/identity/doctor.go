package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
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

// checkup is what a doctor finds.
type checkup struct {
	Verdict  string        `json:"verdict"` // "good" or "problems"
	Time     time.Time     `json:"time"`
	Config   string        `json:"config"`
	Tenants  int           `json:"tenants"`
	Leeway   string        `json:"leeway"`
	Problems []finding     `json:"problems,omitempty"` // of the configuration as a whole
	Warnings []finding     `json:"warnings,omitempty"`
	Rate     rate          `json:"rate"`
	KeySets  []keySetCheck `json:"key_sets"`
}

// rate is what the configuration asks of the key servers, from one process.
type rate struct {
	KeySets         int     `json:"key_sets"`
	RequestsPerHour float64 `json:"requests_per_hour"`
	ForcedPerMinute float64 `json:"forced_per_minute"` // at most, of each key set, for key IDs that it lacks
}

// keySetCheck is what was found about one key set.
type keySetCheck struct {
	Address  string      `json:"address"`
	Kind     string      `json:"kind"`
	Tenants  []tenantRef `json:"tenants"`
	Status   string      `json:"status"` // "ok", "warning", "problem"
	Problems []finding   `json:"problems,omitempty"`
	Warnings []finding   `json:"warnings,omitempty"`
	// Keys counts those that can verify tokens, Skipped the others; Unusable says why, by key ID.
	Keys     int               `json:"keys"`
	Skipped  int               `json:"skipped"`
	Unusable map[string]string `json:"unusable,omitempty"`
	TookMS   int64             `json:"took_ms"`

	Issuer       string      `json:"issuer,omitempty"`
	KeysAddress  string      `json:"keys_address,omitempty"`
	Proxy        *proxyRef   `json:"proxy,omitempty"`
	Resolved     []string    `json:"resolved,omitempty"`
	TLS          *tlsState   `json:"tls,omitempty"`
	Clock        *clockState `json:"clock,omitempty"`
	CacheControl string      `json:"cache_control,omitempty"`
	LastModified string      `json:"last_modified,omitempty"`
	Change       *change     `json:"change,omitempty"` // with -since

	id     identity.KeySet
	prints map[string]string // of the keys, by key ID
}

type tenantRef struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

type proxyRef struct {
	URL      string `json:"url"`
	Variable string `json:"variable"`
}

type tlsState struct {
	Version  string    `json:"version"`
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after"`
}

// clockState is how far the server's clock is ahead of this machine's.
type clockState struct {
	AheadSeconds  float64 `json:"ahead_seconds"`
	WithinSeconds float64 `json:"within_seconds"`
}

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

// soon is how near the end of a certificate is worth a word.
const soon = 14 * 24 * time.Hour

// judge puts down what became of one fetch.
func (k *keySetCheck) judge(info identity.FetchInfo, watch *probe, leeway time.Duration, now time.Time) {
	k.Keys, k.Skipped, k.Unusable, k.TookMS = info.Keys, info.Skipped, info.Unusable, info.Duration.Milliseconds()
	discovery := watch.seen(k.Address)
	last := discovery
	if discovery != nil {
		k.look(discovery)
		doc := discovery.discovery()
		k.Issuer, k.KeysAddress = doc.Issuer, doc.JWKSURI
		if keys := watch.seen(doc.JWKSURI); keys != nil {
			last = keys
			k.look(keys)
			k.prints = keys.fingerprints()
		}
	}
	if info.Err != nil {
		k.Problems = append(k.Problems, whyFailed(info.Err, last, k.Kind))
	}
	if k.Clock != nil {
		k.judgeClock(leeway)
	}
	if k.TLS != nil && k.TLS.NotAfter.Sub(now) < soon && k.TLS.NotAfter.After(now) {
		k.Warnings = append(k.Warnings, finding{
			fmt.Sprintf("The certificate of %s ends on %s.", hostOf(k.Address), k.TLS.NotAfter.UTC().Format("2 January 2006, 15:04 MST")),
			"Whoever runs the server has to renew it. Until the keys held are 24 hours old (Keys.MaxStale) the API goes on without.",
		})
	}
	if ambiguous := slices.Sorted(func(yield func(string) bool) {
		for kid, why := range k.Unusable {
			if why == "several keys have this kid" && !yield(kid) {
				return
			}
		}
	}); len(ambiguous) > 0 && info.Err == nil {
		k.Warnings = append(k.Warnings, finding{fmt.Sprintf("Several keys are published under the key ID %s, so that its tokens are refused.", printable(ambiguous[0])), "It is for whoever publishes the keys."})
	}
	k.Status = "ok"
	if len(k.Warnings) > 0 {
		k.Status = "warning"
	}
	if len(k.Problems) > 0 {
		k.Status = "problem"
	}
}

// look takes over what an exchange shows of the way to the server.
func (k *keySetCheck) look(x *exchange) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if u, err := url.Parse(x.address); err == nil && x.proxy != nil {
		name, variable := proxyName(x.proxy, u.Scheme)
		k.Proxy = &proxyRef{name, variable}
	}
	if len(x.resolved) > 0 {
		k.Resolved = slices.Clone(x.resolved)
	}
	if x.tls != nil && len(x.tls.PeerCertificates) > 0 {
		leaf := x.tls.PeerCertificates[0]
		k.TLS = &tlsState{strings.TrimPrefix(tls.VersionName(x.tls.Version), "TLS "), leaf.Subject.String(), leaf.Issuer.String(), leaf.NotAfter}
	}
	if ahead, within, known := x.clock(); known {
		k.Clock = &clockState{tenths(ahead), tenths(within)}
	}
	k.CacheControl, k.LastModified = x.header.Get("Cache-Control"), x.header.Get("Last-Modified")
}

func tenths(d time.Duration) float64 { return d.Round(100 * time.Millisecond).Seconds() }

// judgeClock compares the difference with the leeway, in favour of the clocks.
func (k *keySetCheck) judgeClock(leeway time.Duration) {
	ahead := time.Duration(k.Clock.AheadSeconds * float64(time.Second))
	off := max(ahead, -ahead)
	if off-time.Duration(k.Clock.WithinSeconds*float64(time.Second)) <= leeway {
		return
	}
	what, then := "behind", "refused as not yet valid"
	if ahead < 0 {
		what, then = "ahead of", "refused as expired too early"
	}
	k.Problems = append(k.Problems, finding{
		fmt.Sprintf("The clock of this machine is %v %s that of %s, more than the leeway of %v: tokens are %s.", off.Round(time.Second), what, hostOf(k.Address), leeway, then),
		"Set the clock, and have it kept right (NTP). Raising Leeway, which may be 5 minutes, hides the fault and lets expired tokens live on.",
	})
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

// fingerprints tell the keys of a key set apart, by key ID.
func (x *exchange) fingerprints() map[string]string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var doc struct{ Keys []map[string]any }
	if x.status != http.StatusOK || json.Unmarshal(x.body, &doc) != nil {
		return nil
	}
	prints := make(map[string]string)
	for _, key := range doc.Keys {
		kid, ok := key["kid"].(string)
		if !ok {
			continue
		}
		text, err := json.Marshal(key) // in one order
		if err != nil {
			continue
		}
		sum := sha256.Sum256(append([]byte(prints[kid]), text...)) // of all entries of that kid
		prints[kid] = hex.EncodeToString(sum[:8])
	}
	return prints
}

// judge looks at the configuration as a whole. A key set in use is refreshed when 80 % of its time are over, with two requests.
func (found *checkup) judge(keys identity.KeyOptions) {
	ttl, cooldown, most := cmp.Or(keys.TTL, time.Hour), cmp.Or(keys.Cooldown, 30*time.Second), cmp.Or(keys.MaxSets, 1024)
	n := len(found.KeySets)
	found.Rate = rate{KeySets: n, RequestsPerHour: 2 * float64(n) / (ttl.Hours() * 0.8), ForcedPerMinute: 1 / cooldown.Minutes()}
	if n == 0 {
		found.Problems = append(found.Problems, finding{"There is no tenant, so that every token is refused.", "Add one to Tenants."})
		found.Verdict = "problems"
	}
	if n > most {
		found.Warnings = append(found.Warnings, finding{
			fmt.Sprintf("The tenants need %d key sets and the API holds %d of them, so that they push each other out and are fetched again and again.", n, most),
			fmt.Sprintf("Set Keys.MaxSets to %d or more.", n),
		})
	}
}

// printJSON writes a value for programs. Nothing is escaped that only a page would need escaped.
func printJSON(w interface{ Write([]byte) (int, error) }, value any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(value)
}

var errForeignState = errors.New("is there, and was not written by identity doctor: name another file")
