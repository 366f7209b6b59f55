package main

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/echo-identity/identity"
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
