package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fixture is what must become of each mutant of the fixture.
var fixture = []struct {
	mutant string
	want   verdict
}{
	{`6:21 least: one up: 255`, notCompiled},
	{`6:21 least: one down: 255`, survived},
	{`8:23 banned: element dropped: "mallory"`, killed},
	{`8:34 banned: element dropped: "trudy"`, survived},
	{`14:5 open: always true: name == "" || age < 18`, killed},
	{`14:5 open: always false: name == "" || age < 18`, killed},
	{`14:5 open: negated: name == "" || age < 18`, killed},
	{`14:5 open: left of || dropped: name == ""`, survived},
	{`14:19 open: right of || dropped: age < 18`, killed},
	{`14:5 open: != for ==: name == ""`, killed},
	{`14:19 open: <= for <: age < 18`, killed},
	{`14:19 open: limit one down: age < 18`, killed},
	{`15:3 open: no error: return errDoor`, killed},
	{`18:6 open: always true: b == name`, killed},
	{`18:6 open: always false: b == name`, killed},
	{`18:6 open: negated: b == name`, killed},
	{`19:4 open: no error: return errDoor`, killed},
	{`27:6 knocks: the loop is skipped: n > 0`, killed},
	{`27:6 knocks: >= for >: n > 0`, killed},
	{`27:6 knocks: limit one up: n > 0`, killed},
	{`28:3 knocks: left out: n--`, timedOut},
	{`35:7 kind: always true: age < 18`, killed},
	{`35:7 kind: always false: age < 18`, killed},
	{`35:7 kind: negated: age < 18`, killed},
	{`35:7 kind: <= for <: age < 18`, survived},
	{`35:7 kind: limit one down: age < 18`, killed},
	{`38:14 kind: >= for >: age > 200`, survived},
	{`38:14 kind: limit one up: age > 200`, survived},
	{`45:2 must: left out: panic("no one is that old")`, notCompiled},
	{`42:5 must: always true: !impossible`, survived},
	{`42:5 must: always false: !impossible`, killed},
	{`42:5 must: negated: !impossible`, killed},
}

// Each mutant of the fixture gets its verdict, and those that survived are tried again.
func TestRun(t *testing.T) {
	dir := filepath.Join("testdata", "fixture")
	source, err := os.ReadFile(filepath.Join(dir, "door.go"))
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "results.json")
	start := func(flags ...string) string {
		t.Helper()
		var out bytes.Buffer
		if err := run(t.Context(), append([]string{"-dir", dir, "-files", "door.go", "-json", kept, "-timeout", "3s", "-jobs", "2"}, flags...), &out); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		return out.String()
	}

	var names []string
	for _, f := range fixture {
		names = append(names, "door.go:"+f.mutant+"\n")
	}
	if got, want := start("-list"), strings.Join(names, ""); got != want {
		t.Fatalf("got=%s\nwant=%s", got, want)
	}

	first := start()
	for _, f := range fixture {
		if line := fmt.Sprintf("\n%-12s door.go:%s", f.want, f.mutant); !strings.Contains("\n"+first, line) {
			t.Errorf("got=%s\nwant=%s", first, line)
		}
	}
	if want := "door.go       30      22            1         7             2  76.7 %\n"; !strings.Contains(first, want) {
		t.Errorf("got=%s\nwant=%s", first, want)
	}
	if !strings.Contains(first, "always true: b == name (TestOpen)\n") {
		t.Errorf("got=%s\nwant the test that kills", first)
	}

	second := start()
	if tried, table, _ := strings.Cut(second, "\n\n"); strings.Count(tried, "\n") != 6 || strings.Count(tried, string(survived)) != 7 || !strings.Contains(table, "76.7 %") {
		t.Errorf("got=%s\nwant only the survivors tried, and the same table", second)
	}
	if now, err := os.ReadFile(filepath.Join(dir, "door.go")); err != nil || !bytes.Equal(now, source) {
		t.Errorf("got=%s %v, want the source untouched", now, err)
	}
}

// What fails without a mutant says nothing about mutants.
func TestUnsound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":       "module broken\n\ngo 1.26\n",
		"code.go":      "package broken\n\nfunc yes() bool { return true }\n",
		"code_test.go": "package broken\n\nimport \"testing\"\n\nfunc TestNo(t *testing.T) { t.Error(yes()) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	err := run(t.Context(), []string{"-dir", dir, "-files", "code.go"}, &out)
	if err == nil || !strings.Contains(err.Error(), "TestNo fails without a mutant") || strings.Contains(out.String(), string(killed)) {
		t.Fatalf("got=%v %s, want an error", err, &out)
	}
}

// Mutants of a batch are in different places.
func TestBatches(t *testing.T) {
	mutants, err := find(filepath.Join("testdata", "fixture", "door.go"))
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[*mutant]bool)
	for _, b := range batches(mutants) {
		for i, m := range b {
			if seen[m] || !m.switched() && len(b) > 1 {
				t.Errorf("%v is in two batches, or cannot be switched", m)
			}
			seen[m] = true
			for _, other := range b[:i] {
				if m.overlaps(other) {
					t.Errorf("%v and %v are in one batch", m, other)
				}
			}
		}
	}
	if len(seen) != len(mutants) || len(seen) != len(fixture) {
		t.Fatalf("got=%d, want=%d", len(seen), len(mutants))
	}
}
