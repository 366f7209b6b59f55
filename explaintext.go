package identity

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	minTextWidth = 40
	stdTextWidth = 80
)

// String is the text of [Report.WriteText], 80 columns wide and without colour.
func (r Report) String() string {
	t := textWriter{width: stdTextWidth}
	t.report(&r)
	return t.b.String()
}

// WriteText writes the report for a person: the verdict, its cause and what to do, then all checks and what the token says. Lines are
// broken before width columns, of which it takes 40 for the least; a word that is longer, such as an address, is not broken. Colour is
// that of ANSI terminals and carries no meaning of its own. Everything but that colour is printable ASCII, whatever the token holds.
func (r Report) WriteText(w io.Writer, width int, color bool) error {
	t := textWriter{width: max(width, minTextWidth), color: color}
	t.report(&r)
	_, err := io.WriteString(w, t.b.String())
	return err
}

// textWriter lays a report out.
type textWriter struct {
	b     strings.Builder
	width int
	color bool
	lead  int // columns of the next row that are written already
}

// style is a colour of the terminal's own, which its owner has made readable.
type style string

const (
	plain style = ""
	bold  style = "1"
	faint style = "2"
	bad   style = "1;31"
	good  style = "1;32"
)

func (t *textWriter) paint(s style, text string) string {
	if !t.color || s == plain {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// row writes a label and, from a column on, a text broken into lines.
func (t *textWriter) row(label string, s style, column int, text string) {
	t.b.WriteString(t.paint(s, label))
	label = strings.Repeat("-", t.lead) + label // as wide
	t.lead = 0
	t.b.WriteString(strings.Repeat(" ", max(0, column-len(label))))
	at := max(column, len(label))
	for i, word := range strings.Fields(printable(text)) {
		if i > 0 {
			if at+1+len(word) >= t.width {
				t.b.WriteString("\n" + strings.Repeat(" ", column))
				at = column
			} else {
				t.b.WriteByte(' ')
				at++
			}
		}
		t.b.WriteString(word)
		at += len(word)
	}
	t.b.WriteByte('\n')
}

// printable is a safeguard for texts that do not come through shown, such as those of configured tenants.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, strings.ReplaceAll(text, "§", "section "))
}

func (t *textWriter) heading(text string) {
	t.b.WriteByte('\n')
	t.row(text, bold, 0, "")
}

func (t *textWriter) report(r *Report) {
	if r.Verdict == Accepted {
		t.row("ACCEPTED", good, 0, "")
	} else {
		t.row("REFUSED", bad, 9, fmt.Sprintf("%d %s", r.Status, r.Reason))
	}
	t.b.WriteByte('\n')
	t.row("", plain, 0, r.Cause)
	if len(r.Advice) > 0 {
		t.heading("What to do")
	}
	for _, advice := range r.Advice {
		t.row("-", plain, 2, advice)
	}
	if r.Within != nil {
		t.b.WriteString("\nThe token alone:\n\n")
		t.report(r.Within)
		return
	}
	t.heading("Checks")
	var behind []string
	for i := range r.Steps {
		if r.Steps[i].Outcome == NotReached {
			behind = append(behind, r.Steps[i].Name)
			continue
		}
		t.step(&r.Steps[i])
	}
	if len(behind) > 0 {
		t.row("-", faint, stepColumn, "not reached: "+strings.Join(behind, ", "))
	}
	t.facts(r)
}

const (
	stepColumn  = 6
	valueColumn = 20
)

func (t *textWriter) step(s *Step) {
	if s.Outcome == Passed {
		t.b.WriteString(t.paint(good, "ok") + "    ")
		t.lead = stepColumn
		t.row(s.Name, plain, valueColumn, s.Actual)
		return
	}
	t.b.WriteString(t.paint(bad, "FAIL") + "  " + t.paint(bold, s.Name) + "\n")
	t.row("      expected", plain, valueColumn, s.Expected)
	t.row("      found", plain, valueColumn, s.Actual)
	t.row("      rule", plain, valueColumn, s.Rule)
}

// facts writes what the token says.
func (t *textWriter) facts(r *Report) {
	f := &r.Token
	var rows [][2]string
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, [2]string{name, value})
		}
	}
	list := func(name string, values []string) {
		if len(values) > 0 {
			add(name, strings.Join(values, " "))
		}
	}
	at := func(name string, when *time.Time) {
		if when == nil {
			return
		}
		side := "ago"
		if when.After(r.Time) {
			side = "ahead"
		}
		add(name, fmt.Sprintf("%s, %s %s", timeText(*when), durationText(when.Sub(r.Time)), side))
	}
	add("alg", f.Algorithm)
	add("typ", f.Type)
	add("kid", f.KeyID)
	add("iss", f.Issuer)
	add("tid", f.TenantID)
	list("aud", f.Audience)
	add("ver", f.Version)
	add("client", f.ClientID)
	add("policy", f.Policy)
	list("scopes", f.Scopes)
	list("roles", f.Roles)
	at("iat", f.IssuedAt)
	at("nbf", f.NotBefore)
	at("exp", f.ExpiresAt)
	if len(rows) == 0 {
		return
	}
	heading := "What the token says (nothing of it is proven)"
	if r.SignatureVerified {
		heading = "What the token says (its signature is good)"
	}
	t.heading(heading)
	for _, row := range rows {
		t.row("  "+row[0], plain, 10, row[1])
	}
}
