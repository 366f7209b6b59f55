package identity

import (
	"strings"
	"testing"
	"time"
)

// hostilePayload is what 48 KiB of claims, the most that a token can hold, can be made of to keep the scanner busy.
type hostilePayload struct {
	name    string
	payload string
	allocs  float64 // at most
}

// filled repeats an element in arrays that are as long as they may be, up to the size of a token.
func filled(element string) string {
	n := (maxToken*3/4 - 600) / (len(element) + 1)
	var b strings.Builder
	b.WriteString(`{"a":[`)
	for ; n > 0; n -= maxElements - 1 {
		b.WriteString(`[` + strings.Repeat(element+",", min(n, maxElements-1)) + `0],`)
	}
	return b.String() + `0]}`
}

func hostilePayloads() []hostilePayload {
	return []hostilePayload{
		{"members", `{` + members(maxMembers, `"%090d":0`) + `}`, 8},
		{"too many members", `{` + members(5_000, `"%d":0`) + `}`, 8},
		{"large objects", filled(`{` + members(maxMembers, `"%d":0`) + `}`), 8},
		{"objects of 33", filled(`{` + members(33, `"%d":0`) + `}`), 3},
		{"objects of 9", filled(`{` + members(9, `"%d":0`) + `}`), 0},
		{"objects of 8", filled(`{` + members(8, `"%d":0`) + `}`), 0},
		{"small objects", filled(`{"a":0,"b":{}}`), 0},
		{"empty objects", filled(`{}`), 0},
		{"objects in objects", `{"a":{` + members(490, `"%d":{"a":{"b":{"c":0},"d":{},"e":[{}]},"f":{"g":{},"h":{}},"i":{}}`) + `}}`, 8},
		{"names of one object in those of others", strings.Repeat(`{`+members(31, `"%d":0`)+`,"x":`, 15) + `{}` + strings.Repeat(`}`, 15), 8},
		{"capitals", `{` + members(maxMembers, `"A%080d":0`) + `}`, maxMembers + 8},
		{"letters to fold", `{` + members(20, `"`+strings.Repeat("ῼ", 33)+`%d":0`) + `,"` + strings.Repeat("A", 1000) + `":0}`, 50},
		{"too many letters to fold", `{"` + strings.Repeat("ῼ", 15_500) + `":0}`, 3},
		{"escaped names", `{` + members(maxMembers, `"`+strings.Repeat(`\u0041`, 14)+`%d":0`) + `}`, 3*maxMembers + 8},
		{"escaped names of small objects", filled(`{"\n":0}`), maxToken},
		{"long escaped name", `{"` + strings.Repeat(`\u0041`, 7_000) + `":0}`, 3},
		{"strings", `{"roles":[` + strings.Repeat(`"",`, maxElements-1) + `""]}`, 1},
		{"too many strings", `{"roles":[` + strings.Repeat(`"",`, 15_000) + `""]}`, 3},
		{"escaped strings", `{"roles":[` + strings.Repeat(`"\n",`, maxElements-1) + `""]}`, maxElements + 1},
		{"deep", filled(nestedArrays(14)), 0},
		{"numbers", filled(`0`), 0},
		{"long number", `{"exp":0.` + strings.Repeat("0", 40_000) + `1e40001}`, 0},
	}
}

// No payload costs much more than its size says: the limit is far above what is needed, but below the square of the size.
func TestJSONHostile(t *testing.T) {
	for _, h := range hostilePayloads() {
		if len(h.payload) > maxToken*3/4 {
			t.Errorf("%s: %d bytes are more than a token can hold", h.name, len(h.payload))
		}
		start := time.Now()
		var c claims
		_ = c.parse(h.payload)
		if spent := time.Since(start); spent > time.Second {
			t.Errorf("%s: %v", h.name, spent)
		}
		if got := testing.AllocsPerRun(5, func() { _ = new(claims).parse(h.payload) }); got > h.allocs+3 { // the claims, an error
			t.Errorf("%s: got=%v allocations, want at most %v", h.name, got, h.allocs)
		}
	}
}

func BenchmarkJSONHostile(b *testing.B) {
	for _, h := range hostilePayloads() {
		b.Run(strings.ReplaceAll(h.name, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var c claims
				_ = c.parse(h.payload)
			}
		})
	}
}
