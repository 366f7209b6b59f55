package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/report"
)

// result is what a run has come to.
type result struct {
	options
	*ledger
	heap          heap
	stats         identity.Stats
	before, after int // goroutines
	took          time.Duration
}

// leak is how much more may be held at the end than in the middle of a run: the cache of tokens fills up, and the mock remembers
// 10,000 requests. A leak of one object per request would be larger in a long run.
const leak = 32 << 20

// expected lists the events that a run of a cycle has to see.
func expected() []string {
	events := []string{eventAhead, eventInFlood, eventQuiet, eventWithdrawn, eventByTTL, eventGoneRefused, eventDueOutage,
		eventRemoved, eventAudience, eventClients, eventReplaced}
	for _, f := range faults {
		events = append(events, faultEvent(f.name))
	}
	return events
}

func (r *result) sections() []report.Section {
	answers := report.Section{Title: "Soak", Columns: []string{"", "figure"},
		Note: fmt.Sprintf("%v at %d requests per second, %d tenants.", r.took.Round(time.Second), r.rate, r.tenants)}
	row := func(s *report.Section, name, figure string, targets ...report.Target) {
		s.Rows = append(s.Rows, report.Row{Cells: []string{name, figure}, Targets: targets})
	}
	total := int64(0)
	traffic := report.Section{Title: "Requests", Columns: []string{"", "number"}, Note: "What was sent."}
	for c := range classes {
		n := r.sent[c].Load()
		total += n
		row(&traffic, classNames[c], thousands(n), report.AtLeast(float64(n), 1, "%.0f"))
	}
	row(&answers, "requests", thousands(total))
	row(&answers, "wrong answers", thousands(r.wrong.Load()), report.AtMost(float64(r.wrong.Load()), 0, "%.0f"))
	row(&answers, "valid requests lost", thousands(r.lost.Load()), report.AtMost(float64(r.lost.Load()), 0, "%.0f"))
	for _, share := range []float64{0.5, 0.99} {
		row(&answers, fmt.Sprintf("p%.0f of valid requests, ms", 100*share), fmt.Sprintf("%.2f", r.ledger.took.quantile(share).Seconds()*1e3))
	}
	row(&answers, "new key in the flood known after at most, s", fmt.Sprintf("%.2f", r.newKey.Seconds()),
		report.AtMost(r.newKey.Seconds(), (cooldown+time.Second).Seconds(), "%.0f"))
	row(&answers, "fetches of keys, of them forced, failed", fmt.Sprintf("%d, %d, %d", r.stats.Fetches, r.stats.ForcedFetches, r.stats.FailedFetches))
	row(&answers, "heap, peak, MiB", mebibytes(r.heap.peak))
	row(&answers, "heap after GC: begin, half-time, MiB", mebibytes(r.heap.begin)+", "+mebibytes(r.heap.half))
	row(&answers, "heap after GC: end, MiB", mebibytes(r.heap.end), report.AtMost(float64(r.heap.end)/(1<<20), float64(r.heap.half+leak)/(1<<20), "%.1f"))
	row(&answers, "goroutines before", fmt.Sprint(r.before))
	row(&answers, "goroutines after", fmt.Sprint(r.after), report.AtMost(float64(r.after), float64(r.before), "%.0f"))

	events := report.Section{Title: "Events", Columns: []string{"", "number"}, Note: "What happened meanwhile."}
	for _, name := range expected() {
		n := r.events[name]
		var targets []report.Target
		if r.duration >= cycle {
			targets = append(targets, report.AtLeast(float64(n), 1, "%.0f"))
		}
		row(&events, name, fmt.Sprint(n), targets...)
	}
	return []report.Section{traffic, events, answers}
}

// conclude writes the tables, and says what is wrong.
func (r *result) conclude(out io.Writer) error {
	missed := 0
	for _, s := range r.sections() {
		if err := s.Text(out); err != nil {
			return err
		}
		_, m := s.Targets()
		missed += m
	}
	if missed == 0 {
		return nil
	}
	return errors.New(strings.Join(append([]string{fmt.Sprintf("%d targets missed", missed)}, r.faults...), "\n  "))
}

func mebibytes(n int) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) }

// thousands writes a number with a comma in every thousand.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
