package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/echo-identity/identity/benchmarks/report"
)

const explanation = "How many broken tokens each library lets in. n/m: n as its documentation shows it, m with every strictness that it " +
	"offers; one number where both are the same; – where it is not asked. echo-jwt and keyfunc verify with golang-jwt. Every token is broken in one way, and is " +
	"otherwise as good as the ones that everybody let in, before and after. Everybody is set up for the one tenant that the token says it is from."

// fields are the tables, each with what is fair to know about it.
var fields = []struct {
	field       field
	title, note string
}{
	{integrity, "Token integrity", "Every one of these should be refused by whoever checks a JWT: RFC 7515, 7517, 7518, 7519 and 8725 say so, and 9068 of the expiry. Most of what is let in " +
		"by a set-up as documented is a check that the library has and that its first example leaves off: issuer, audience, a required expiry."},
	{hardening, "Stricter than the RFCs", "To let these in breaks no rule, and is no fault. Of two members of one name, for instance, a parser may take the last, and a " +
		"key ID is only a hint. They are refused here because of what went wrong elsewhere, or because two programs may read them differently."},
	{microsoft, "Rules of Microsoft's access tokens", "Nobody can expect these of a library for any issuer's JWTs: to let them in is not its fault. It is what " +
		"remains for whoever accepts Microsoft's tokens with one. go-oidc is made for ID tokens."},
}

// section is the table of a field: a line for each class, and their sum.
func section(i int, outcomes []outcome) report.Section {
	s := report.Section{Title: fields[i].title, Note: fields[i].note, Columns: []string{"class", "tokens"}}
	for _, p := range peers {
		s.Columns = append(s.Columns, p.name)
	}
	count := func(name string, published bool, in func(class) bool) {
		tokens, letIn := 0, make([][modes]int, len(peers))
		for k := range outcomes {
			if !in(outcomes[k].class) {
				continue
			}
			tokens++
			for p, both := range outcomes[k].letIn {
				for m, yes := range both {
					if yes {
						letIn[p][m]++
					}
				}
			}
		}
		cells := []string{name, strconv.Itoa(tokens)}
		for p, n := range letIn {
			if published && peers[p].givenKeys {
				cells = append(cells, "–")
			} else {
				cells = append(cells, cell(n))
			}
		}
		s.Rows = append(s.Rows, report.Row{Cells: cells})
	}
	for _, c := range classes {
		if c.field == fields[i].field {
			count(c.name, c == unfitKey || c == leakedKey, func(other class) bool { return other == c })
		}
	}
	count("all of these", false, func(c class) bool { return c.field == fields[i].field })
	return s
}

func cell(n [modes]int) string {
	if n[documented] == n[strict] {
		return strconv.Itoa(n[strict])
	}
	return fmt.Sprintf("%d/%d", n[documented], n[strict])
}

// outages says who lets nobody in any more, because a key that must not be used stands in the key set.
func outages(outcomes []outcome) (lines []string) {
	for i := range outcomes {
		if who := whom(outcomes[i].outage); who != "" {
			lines = append(lines, fmt.Sprintf("%s: %s", outcomes[i].name, who))
		}
	}
	return lines
}

// whom names the peers, and in which set-up if not in both.
func whom(yes [][modes]bool) string {
	var names []string
	for i, both := range yes {
		switch {
		case both[documented] && both[strict]:
			names = append(names, peers[i].name)
		case both[documented]:
			names = append(names, peers[i].name+" as documented")
		case both[strict]:
			names = append(names, peers[i].name+" with every option")
		}
	}
	return strings.Join(names, ", ")
}

const outageNote = "Whoever starts while one of these keys is in the set refuses the good tokens of all others in it, too; jwx has an option against " +
	"that. "

func printTables(w io.Writer, outcomes []outcome) error {
	if err := report.Text(w, explanation); err != nil {
		return err
	}
	for i := range fields {
		s := section(i, outcomes)
		if err := s.Text(w); err != nil {
			return err
		}
	}
	if lines := outages(outcomes); len(lines) > 0 {
		fmt.Fprintln(w)
		return report.Text(w, outageNote+strings.Join(lines, "; ")+".")
	}
	return nil
}

// printList says who lets which token in.
func printList(w io.Writer, outcomes []outcome) error {
	for i := range fields {
		fmt.Fprintf(w, "\n%s\n", fields[i].title)
		for k := range outcomes {
			if o := &outcomes[k]; o.class.field == fields[i].field && o.anybody() {
				fmt.Fprintf(w, "\n%s\n", o.name)
				if err := report.Text(w, o.breaks+" ("+o.source+")"); err != nil {
					return err
				}
				if err := report.Text(w, "→ "+whom(o.letIn)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
