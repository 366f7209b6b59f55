package report_test

import (
	"strings"
	"testing"

	"github.com/echo-identity/identity/benchmarks/report"
)

func section() *report.Section {
	return &report.Section{
		Title: "Costs", Note: "In units.", Columns: []string{"subject", "ratio"},
		Rows: []report.Row{
			{Cells: []string{"held", "1.05"}, Targets: []report.Target{report.AtMost(1.05, 1.1, "%.2f"), report.AtMost(10, 10, "%.0f allocs")}},
			{Cells: []string{"missed by one of two", "0.95"}, Targets: []report.Target{report.AtLeast(0.95, 0.9, "%.2f"), report.AtMost(11, 10, "%.0f allocs")}},
			{Cells: []string{"no target", "2.50"}},
		},
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := section().Text(&b); err != nil {
		t.Fatal(err)
	}
	want := `
Costs
─────
In units.

subject               ratio  target
held                   1.05  ≤ 1.10, ≤ 10 allocs  ok
missed by one of two   0.95  ≥ 0.90, ≤ 10 allocs  missed
no target              2.50
`
	if b.String() != want {
		t.Fatalf("got=%s\nwant=%s", b.String(), want)
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := section().Markdown(&b); err != nil {
		t.Fatal(err)
	}
	want := `
## Costs

In units.

| subject | ratio | target |  |
|---|--:|---|---|
| held | 1.05 | ≤ 1.10, ≤ 10 allocs | ok |
| missed by one of two | 0.95 | ≥ 0.90, ≤ 10 allocs | missed |
| no target | 2.50 |  |  |
`
	if b.String() != want {
		t.Fatalf("got=%s\nwant=%s", b.String(), want)
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	if all, missed := section().Targets(); all != 4 || missed != 1 {
		t.Fatalf("targets: got=%d, missed %d, want=4, missed 1", all, missed)
	}
	for _, row := range []struct {
		target report.Target
		want   string
	}{
		{report.AtMost(1, 1, "%.0f"), "ok"},
		{report.AtMost(1.001, 1, "%.0f"), "missed"},
		{report.AtLeast(1, 1, "%.0f"), "ok"},
		{report.AtLeast(0.999, 1, "%.0f"), "missed"},
	} {
		r := report.Row{Targets: []report.Target{row.target}}
		if got := r.Verdict(); got != row.want {
			t.Errorf("%+v: got=%s, want=%s", row.target, got, row.want)
		}
	}
}
