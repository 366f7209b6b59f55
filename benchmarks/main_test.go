package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/report"
)

// What cannot be done is said before anything is measured.
func TestArguments(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ args, want string }{
		{"-parts warm,lukewarm", `"lukewarm" is not one of peers, cold, warm`},
		{"-write -short", "-write is for a full run"},
		{"-write -parts cold", "-write is for a full run"},
		{"-nothing", "flag provided but not defined"},
	} {
		if err := run(t.Context(), strings.Fields(row.args)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got=%v, want=%s", row.args, err, row.want)
		}
	}
	if names, err := choose("warm,cold"); err != nil || strings.Join(names, " ") != "warm cold" {
		t.Errorf("two parts: got=%v, %v", names, err)
	}
	if names, err := choose(""); err != nil || len(names) != len(parts) {
		t.Errorf("all parts: got=%v, %v", names, err)
	}
}

func TestConclusion(t *testing.T) {
	t.Parallel()
	section := func(got float64) report.Section {
		return report.Section{Rows: []report.Row{{Cells: []string{""}, Targets: []report.Target{report.AtMost(got, 1, "%.0f")}}}}
	}
	if err := conclude([]report.Section{section(1), section(0.5)}, 0); err != nil {
		t.Errorf("all hold: got=%v", err)
	}
	if err := conclude([]report.Section{section(1), section(1.5)}, 0); err == nil || err.Error() != "1 targets missed" {
		t.Errorf("one missed: got=%v", err)
	}
}

// The results name the date, the machine and every version, and show both plots on either page.
func TestResults(t *testing.T) {
	t.Parallel()
	b, err := newBench(t.Context(), sizes{plan: measure.Full, users: 10, tenants: 2})
	if err != nil {
		t.Fatal(err)
	}
	cost := func(name string, ratio float64) measure.Cost { return measure.Cost{Name: name, Ratio: ratio} }
	b.peers = []measure.Cost{cost("identity, whole Echo stack, warm", 0.03), cost("jwx", 2.99)}
	b.scale = []scaleOf{{1, cost("1 tenant, cold", 1.08), cost("1 tenant, warm", 0.05)}}
	b.node = &nodeReport{Node: "v20.1.2", Versions: map[string]string{"fast-jwt": "6.0.0"}}
	dir := t.TempDir()
	if err := b.writeResults(dir, []report.Section{{Title: "Peers", Note: "How.", Columns: []string{""}, Rows: []report.Row{{Cells: []string{"jwx"}}}}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	wants := append([]string{time.Now().UTC().Format(time.DateOnly), "| processor | ", "| Go | 1.", "| Node.js | v20.1.2 |", "| fast-jwt | v6.0.0 |", "## Peers"},
		measuredModules...)
	for _, want := range append(wants, "peers-dark.svg", "peers-light.svg", "tenants-dark.svg", "tenants-light.svg") {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
		if name, isPlot := strings.CutSuffix(want, ".svg"); isPlot {
			if svg, err := os.ReadFile(filepath.Join(dir, want)); err != nil || !strings.HasPrefix(string(svg), "<svg") {
				t.Errorf("%s: got=%.20s, %v", name, svg, err)
			}
		}
	}
}
