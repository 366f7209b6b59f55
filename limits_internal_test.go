package identity

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// grouped writes a number as the README does: 1,024.
func grouped(n int) string {
	s := fmt.Sprint(n)
	if len(s) > 3 {
		return grouped(n/1000) + "," + s[len(s)-3:]
	}
	return s
}

// inWords writes a time as the README does: 5 s, 1 minute, 24 hours.
func inWords(d time.Duration) string {
	switch {
	case d == time.Minute:
		return "1 minute"
	case d%time.Hour == 0:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// The limits that the README tells are those of the code, all of them.
func TestLimitsInREADME(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Limits\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := make(map[string]string)
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) == 5 {
			rows[strings.TrimSpace(cells[1])] = cells[2]
		}
	}
	keys, faults := KeyOptions{}.withDefaults()
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	leeway, err := leewayOf(0)
	if err != nil {
		t.Fatal(err)
	}
	kib, mib := func(n int) string { return fmt.Sprintf("%d KiB", n>>10) }, func(n int) string { return fmt.Sprintf("%d MiB", n>>20) }
	last := time.Unix(maxDate, 0).UTC().Year()
	want := map[string][]string{
		"token":               {kib(maxToken)},
		"header of a token":   {kib(maxHeader)},
		"key ID":              {fmt.Sprint(maxKID)},
		"signature":           {grouped(maxSignature) + " bytes"},
		"`exp`, `nbf`, `iat`": {fmt.Sprintf("1970 to %d", last)},
		"JSON of header and claims": {
			fmt.Sprintf("%d levels", maxDepth), fmt.Sprintf("%d members", maxMembers), grouped(maxElements) + " elements", "names of " + grouped(maxName) + " bytes",
			grouped(maxFolded) + " bytes beyond ASCII",
		},
		"difference of clocks":                               {inWords(leeway) + ";", "at most " + inWords(maxLeeway)},
		"discovery document, key set":                        {mib(maxDocument), grouped(maxKeys) + " keys"},
		"published key":                                      {grouped(minModulus) + " to " + grouped(maxModulus) + " bits", grouped(minExponent)},
		"fetch of both documents":                            {inWords(keys.Timeout) + " (", inWords(dialTime) + " of it", fmt.Sprintf("%d redirects", maxRedirects)},
		"`Retry-After`":                                      {inWords(maxRetryAfter)},
		"refreshes for unknown key IDs":                      {inWords(keys.Cooldown) + " ("},
		"keys without a successful refresh":                  {inWords(keys.MaxStale)},
		"key sets in memory":                                 {grouped(keys.MaxSets)},
		"first fetches of key sets that no token has proven": {fmt.Sprintf("%d at once", maxTrials)},
		"verified tokens in memory":                          {mib(standardTokenCache)},
		"`CachedTenants`": {
			grouped(maxCachedTenants) + " tenants", grouped(maxCachedTenants) + " strangers", fmt.Sprintf("%d look-ups", maxTenantLookups), inWords(tenantLookupTime) + " each",
		},
		"log lines of refusals": {fmt.Sprintf("%d per reason", refusalsPerSecond)},
	}
	for name, parts := range want {
		for _, part := range parts {
			if !strings.Contains(rows[name], " "+part) {
				t.Errorf("%s: got=%q, want %q in it", name, rows[name], part)
			}
		}
		delete(rows, name)
	}
	delete(rows, "What")
	delete(rows, "---")
	if len(rows) > 0 {
		t.Errorf("rows that nothing holds against the code: %v", rows)
	}
}
