package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/echo-identity/identity/mockidp"
)

// Tests that ask jwx are not parallel: its strict set-up changes a global setting for the time being.

// Every gate lets good tokens in, and refuses those that nobody may let in: nothing is open or shut by mistake.
func TestGates(t *testing.T) {
	idp := mockidp.New()
	for kind, id := range map[mockidp.Kind]string{mockidp.Workforce: mockidp.Contoso, mockidp.B2C: mockidp.Shop, mockidp.External: mockidp.Customers} {
		tenant := idp.TenantOf(kind, id)
		g, err := newGates(t.Context(), idp, tenant)
		if err != nil {
			t.Fatal(err)
		}
		flipped := mockidp.Mutate(func(raw string) string {
			middle := len(raw) - 100
			return raw[:middle] + map[bool]string{true: "B", false: "A"}[raw[middle] == 'A'] + raw[middle+1:]
		})
		for name, bad := range map[string]string{
			"broken signature": tenant.Token(flipped),
			"unsigned":         tenant.Token(mockidp.Algorithm("none")),
			"unknown key":      tenant.Token(mockidp.SignedBy(tenant.Keys().NewKey())),
			"not a token":      "token",
		} {
			for i, letIn := range g.try(bad) {
				if letIn != [modes]bool{} {
					t.Errorf("%v tenant, %s, %s: got=%v, want a refusal", kind, peers[i].name, name, letIn)
				}
			}
		}
		if err := g.good(); err != nil {
			t.Error(err)
		}
	}
}

// A gate that is shut is noticed, and says whose it is.
func TestShutGate(t *testing.T) {
	open, shut := func(string) error { return nil }, func(string) error { return errors.New("closed on Mondays") }
	g := &gates{tenant: mockidp.New().Tenant(mockidp.Contoso), verify: [][modes]verify{{open, open}, {open, shut}}}
	if err := g.good(); err == nil || !strings.Contains(err.Error(), "keyfunc, Workforce tenant, with every option: a good token is refused: closed") {
		t.Errorf("got=%v, want the gate's name", err)
	}
}

// The peers are besieged with everything, this module lets nothing in, and the two set-ups differ where they should.
func TestSiege(t *testing.T) {
	outcomes, err := besiege(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := len(mockidp.Broken()) + len(keyAttacks); len(outcomes) != want {
		t.Fatalf("got=%d tokens, want=%d", len(outcomes), want)
	}
	if err := conclude(outcomes); err != nil {
		t.Error(err)
	}
	last := len(peers) - 1
	keyfunc := slices.IndexFunc(peers, func(p peer) bool { return p.name == "keyfunc" })
	for i := range outcomes {
		o := &outcomes[i]
		if o.outage[last] != [modes]bool{} {
			t.Errorf("%s: identity refuses the good tokens of other keys", o.name)
		}
		if want, ok := map[string][modes]bool{
			"forged":             {},
			"crit-unknown":       {true, true},
			"iss-attacker-host":  {true, false},
			"aud-other-api":      {true, false},
			"key-for-encryption": {true, false},
		}[o.name]; ok && o.letIn[keyfunc] != want {
			t.Errorf("keyfunc, %s: got=%v, want=%v", o.name, o.letIn[keyfunc], want)
		}
	}
	printed(t, outcomes)
	written(t, outcomes)
}

// printed: the tables fit a terminal of 80 columns, and count every token.
func printed(t *testing.T, outcomes []outcome) {
	t.Helper()
	var b bytes.Buffer
	if err := errors.Join(printTables(&b, outcomes), printList(&b, outcomes)); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	tables, total := b.String(), 0
	for i := range fields {
		s := section(i, outcomes)
		sum := s.Rows[len(s.Rows)-1].Cells
		if sum[len(sum)-1] != "0" {
			t.Errorf("%s: got=%v, want 0 for identity", s.Title, sum)
		}
		for k := range outcomes {
			if outcomes[k].class.field == fields[i].field {
				total++
			}
		}
	}
	if total != len(outcomes) {
		t.Errorf("got=%d tokens in tables, want=%d", total, len(outcomes))
	}
	if want := "\ncrit-unknown\nAn unknown extension is critical. (RFC 7515 §4.1.11)\n→ echo-jwt, keyfunc, jwx as documented\n"; !strings.Contains(tables, want) {
		t.Errorf("no %q in\n%s", want, tables)
	}
}

// written: the document has the date, every version, all tables.
func written(t *testing.T, outcomes []outcome) {
	t.Helper()
	dir := t.TempDir()
	if err := writeDocument(dir, outcomes); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "ATTACKS.md"))
	if err != nil {
		t.Fatal(err)
	}
	wants := []string{time.Now().UTC().Format(time.DateOnly), "| Go | 1.", "| crit-unknown | An unknown extension is critical. | echo-jwt, keyfunc, jwx as documented |"}
	for _, f := range fields {
		wants = append(wants, "## "+f.title+"\n", "## "+f.title+": who lets what in\n")
	}
	for _, module := range measuredModules {
		wants = append(wants, "| "+module+" | v")
	}
	for _, want := range wants {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q", want)
		}
	}
}

// One token that this module lets in is an error, in either set-up; what others let in is none.
func TestConclusion(t *testing.T) {
	t.Parallel()
	outcomeOf := func(peer int, m mode) outcome {
		o := outcome{name: "bad", breaks: "It is bad.", letIn: make([][modes]bool, len(peers))}
		o.letIn[peer][m] = true
		return o
	}
	for m := range modes {
		if err := conclude([]outcome{outcomeOf(0, m)}); err != nil {
			t.Errorf("let in by echo-jwt: got=%v", err)
		}
		if err := conclude([]outcome{outcomeOf(len(peers)-1, m)}); err == nil || err.Error() != "identity lets in bad: It is bad." {
			t.Errorf("let in by identity: got=%v", err)
		}
	}
	if name := peers[len(peers)-1].name; name != "identity" {
		t.Errorf("the last peer: got=%s, want=identity", name)
	}
}

// Every token of the catalogue is of a class, every class has tokens, and no exception is about a token that is gone.
func TestClasses(t *testing.T) {
	t.Parallel()
	used := make(map[class]bool)
	for _, b := range mockidp.Broken() {
		c, err := classOf(&b)
		if err != nil {
			t.Fatal(err)
		}
		used[c] = true
	}
	for i := range keyAttacks {
		used[keyAttacks[i].class] = true
	}
	for _, c := range classes {
		if !used[c] {
			t.Errorf("%s: no token", c.name)
		}
	}
	if len(used) != len(classes) {
		t.Errorf("got=%d classes in use, want=%d", len(used), len(classes))
	}
	for _, exception := range byName {
		for _, name := range exception.names {
			if !slices.ContainsFunc(mockidp.Broken(), func(b mockidp.BrokenToken) bool { return matches(name, b.Name) }) {
				t.Errorf("%s: no such token", name)
			}
		}
	}
	if _, err := classOf(&mockidp.BrokenToken{Name: "new", Check: "new"}); err == nil {
		t.Error("a token of an unknown check has a class")
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), []string{"-nothing"}, io.Discard); err == nil || !strings.Contains(err.Error(), "flag provided but not defined") {
		t.Errorf("got=%v", err)
	}
}
