package main

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// columns of the table, right of the names.
var columns = []struct {
	title string
	width int
	of    func(k *keySetCheck, now time.Time) string
}{
	{"KEYS", 4, func(k *keySetCheck, _ time.Time) string {
		if k.Keys == 0 {
			return "-"
		}
		return fmt.Sprint(k.Keys)
	}},
	{"TLS", 4, func(k *keySetCheck, _ time.Time) string {
		if k.TLS == nil {
			return "-"
		}
		return k.TLS.Version
	}},
	{"CERT", 7, func(k *keySetCheck, now time.Time) string {
		if k.TLS == nil {
			return "-"
		}
		left := k.TLS.NotAfter.Sub(now)
		switch {
		case left < 48*time.Hour:
			return fmt.Sprintf("%d h", int(left.Hours()))
		case left > 3*365*24*time.Hour:
			return fmt.Sprintf("%d y", int(left.Hours()/24/365))
		}
		return fmt.Sprintf("%d d", int(left.Hours()/24))
	}},
	{"CLOCK", 8, func(k *keySetCheck, _ time.Time) string {
		if k.Clock == nil {
			return "-"
		}
		return k.Clock.text()
	}},
	{"TOOK", 8, func(k *keySetCheck, _ time.Time) string {
		if k.TookMS >= 10_000 {
			return fmt.Sprintf("%d s", k.TookMS/1000)
		}
		return fmt.Sprintf("%d ms", k.TookMS)
	}},
}

// text is the difference, to the second: Date says no more. Where it may be none, it is called none.
func (c *clockState) text() string {
	n := int(math.Round(c.AheadSeconds))
	switch {
	case math.Abs(c.AheadSeconds) <= c.WithinSeconds || n == 0:
		return "0 s"
	case n < -9999 || n > 9999:
		return fmt.Sprintf("%+d h", n/3600)
	}
	return fmt.Sprintf("%+d s", n)
}

const statusWidth = 6

// print writes the table, with what is wrong below each key set, and what holds for all of them at the end.
func (found *checkup) print(t *terminal, compared bool) error {
	broken := 0
	t.paragraph("", "", fmt.Sprintf("%s: %s, %s", printable(found.Config), counted(found.Tenants, "tenant"), counted(len(found.KeySets), "key set")))
	t.line("")
	shown := columns
	room := func() int {
		n := t.width - statusWidth
		for _, c := range shown {
			n -= c.width + 1
		}
		return n
	}
	for len(shown) > 0 && room() < 16 { // a narrow terminal has fewer columns
		shown = shown[:len(shown)-1]
	}
	names := room()
	if len(found.KeySets) > 0 {
		heading := pad("", statusWidth) + pad("TENANTS", names)
		for _, c := range shown {
			heading += " " + padLeft(c.title, c.width)
		}
		t.line(t.in(t.colours.faint, strings.TrimRight(heading, " ")))
	}
	for i := range found.KeySets {
		k := &found.KeySets[i]
		if k.Status == "problem" {
			broken++
		}
		row := t.in(t.colourOf(k.Status), pad(map[string]string{"ok": "ok", "warning": "warn", "problem": "FAIL"}[k.Status], statusWidth)) +
			t.in(t.colours.strong, pad(shorten(k.name(), names), names))
		for _, c := range shown {
			row += " " + padLeft(c.of(k, found.Time), c.width)
		}
		t.line(row)
		k.details(t)
	}
	if len(found.KeySets) > 0 {
		t.line("")
	}
	for _, line := range found.summary(compared) {
		t.paragraph(pad(line[0], statusWidth), "", line[1])
	}
	t.findings("", found.Problems, t.colours.bad)
	t.findings("", found.Warnings, t.colours.warning)
	t.line("")
	if found.Verdict == "good" {
		return t.last(t.colours.good, "All key sets can be fetched and used.")
	}
	if broken == 0 {
		return t.last(t.colours.bad, "There are problems.")
	}
	return t.last(t.colours.bad, fmt.Sprintf("%d of %s with problems.", broken, counted(len(found.KeySets), "key set")))
}

// last writes the last line. A stream that cannot be written to fails here.
func (t *terminal) last(colour, text string) error {
	_, err := fmt.Fprintln(t.w, t.in(colour, text))
	return err
}

func (t *terminal) colourOf(status string) string {
	return map[string]string{"ok": t.colours.good, "warning": t.colours.warning, "problem": t.colours.bad}[status]
}

// name is whose tokens need the key set.
func (k *keySetCheck) name() string {
	name := printable(k.Tenants[0].Name)
	if name == "" {
		name = k.Tenants[0].ID
	}
	if more := len(k.Tenants) - 1; more > 0 {
		name += fmt.Sprintf(" and %d more", more)
	}
	if u, err := url.Parse(k.Address); err == nil && k.Kind == kindB2C {
		if parts := strings.Split(u.Path, "/"); len(parts) > 2 { // the directory, then the policy
			name += " " + parts[2]
		}
	}
	return name
}

// details are the address, and what is wrong.
func (k *keySetCheck) details(t *terminal) {
	const indent = "      "
	t.paragraph(indent, t.colours.faint, strings.TrimSuffix(strings.Replace(k.Address, "/.well-known/openid-configuration", "", 1), "/"))
	t.findings(indent, k.Problems, t.colours.bad)
	t.findings(indent, k.Warnings, t.colours.warning)
	if reasons := k.skippedText(); reasons != "" {
		t.paragraph(indent, "", reasons)
	}
	if k.LastModified != "" {
		t.paragraph(indent, "", "Last-Modified: "+printable(shorten(k.LastModified, 40)))
	}
	if k.Change != nil && k.Change.Found != nil {
		t.paragraph(indent, "", k.Change.text())
	}
}

// findings writes what is wrong and what to do about it.
func (t *terminal) findings(indent string, list []finding, colour string) {
	for _, f := range list {
		t.paragraph(indent, colour, f.What)
		t.paragraph(indent+"-> ", "", f.Do)
	}
}

// skippedText counts the entries that cannot verify tokens, by reason.
func (k *keySetCheck) skippedText() string {
	if k.Skipped == 0 {
		return ""
	}
	counts := make(map[string]int)
	for _, why := range k.Unusable {
		counts[why]++
	}
	if others := k.Skipped - len(k.Unusable); others > 0 {
		counts["no key ID, or one of two with the same"] += others
	}
	var reasons []string
	for why, n := range counts {
		reasons = append(reasons, fmt.Sprintf("%d × %s", n, printable(why)))
	}
	slices.Sort(reasons)
	return fmt.Sprintf("%s skipped: %s.", counted(k.Skipped, "entry"), strings.Join(reasons, "; "))
}

// summary is what holds for all key sets.
func (found *checkup) summary(compared bool) (lines [][2]string) {
	if len(found.KeySets) == 0 {
		return nil
	}
	proxies := make(map[string]int)
	for _, k := range found.KeySets {
		name := "none"
		if k.Proxy != nil {
			name = fmt.Sprintf("%s (%s)", printable(k.Proxy.URL), k.Proxy.Variable)
		}
		proxies[name]++
	}
	text := "none: HTTPS_PROXY and HTTP_PROXY name none for these hosts"
	if proxies["none"] < len(found.KeySets) {
		var used []string
		for name, n := range proxies {
			used = append(used, fmt.Sprintf("%s for %s", name, counted(n, "key set")))
		}
		slices.Sort(used)
		text = strings.Join(used, "; ")
	}
	lines = append(lines, [2]string{"proxy", text})
	if text := found.clockText(); text != "" {
		lines = append(lines, [2]string{"clock", text})
	}
	text = "when they last changed is not known: -since FILE remembers them from run to run"
	if compared {
		text = found.changeText()
	}
	lines = append(lines, [2]string{"keys", text})
	return append(lines, [2]string{"rate", fmt.Sprintf("about %s an hour from each process that uses all of them, and at most %s a minute per key set for unknown key IDs",
		counted(int(math.Ceil(found.Rate.RequestsPerHour)), "request"), counted(int(math.Ceil(found.Rate.ForcedPerMinute)), "fetch"))})
}

// changeText counts what has changed since the last look.
func (found *checkup) changeText() string {
	seen, first, changed := 0, 0, 0
	for _, k := range found.KeySets {
		if k.Change == nil {
			continue
		}
		seen++
		if k.Change.first {
			first++
		}
		if k.Change.new() {
			changed++
		}
	}
	text := fmt.Sprintf("%d of %s changed since the last look", changed, counted(seen-first, "key set"))
	switch {
	case seen == first:
		text = fmt.Sprintf("%s remembered from now on", counted(first, "key set"))
	case first > 0:
		text += fmt.Sprintf("; %s remembered from now on", counted(first, "more key set"))
	}
	return text
}

// clockText is the range of the differences.
func (found *checkup) clockText() string {
	var least, most *clockState
	for _, k := range found.KeySets {
		if c := k.Clock; c != nil {
			if least == nil || c.AheadSeconds < least.AheadSeconds {
				least = c
			}
			if most == nil || c.AheadSeconds > most.AheadSeconds {
				most = c
			}
		}
	}
	if least == nil {
		return ""
	}
	differ := least.text()
	if differ != most.text() {
		differ += " to " + most.text()
	}
	if differ == "0 s" {
		return "the servers' clocks agree with this machine's; the leeway is " + found.Leeway
	}
	return fmt.Sprintf("the servers' clocks are ahead of this machine's by %s; the leeway is %s", differ, found.Leeway)
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	if strings.HasSuffix(noun, "ch") {
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s))) + s
}
