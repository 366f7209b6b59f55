package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/echo-identity/identity/benchmarks/report"
)

// writeDocument writes ATTACKS.md.
func writeDocument(dir string, outcomes []outcome) error {
	table, err := versionTable()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Peers under the same attacks\n\nWritten by `go -C benchmarks run ./attacks -write` on %s.\n\n%s",
		time.Now().UTC().Format(time.DateOnly), table)
	if err := errors.Join(report.Markdown(&b, explanation), markdownTables(&b, outcomes)); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "ATTACKS.md"), b.Bytes(), 0o644)
}

func markdownTables(w io.Writer, outcomes []outcome) error {
	for i := range fields {
		s := section(i, outcomes)
		if err := s.Markdown(w); err != nil {
			return err
		}
	}
	if lines := outages(outcomes); len(lines) > 0 {
		if err := report.Markdown(w, outageNote+strings.Join(lines, "; ")+"."); err != nil {
			return err
		}
	}
	for i := range fields {
		s := report.Section{Title: fields[i].title + ": who lets what in", Columns: []string{"token", "what is wrong", "let in by"},
			Note: "Where nothing is said, the library does so in both set-ups."}
		for k := range outcomes {
			if o := &outcomes[k]; o.class.field == fields[i].field && o.anybody() {
				s.Rows = append(s.Rows, report.Row{Cells: []string{o.name, o.breaks, whom(o.letIn)}})
			}
		}
		if err := s.Markdown(w); err != nil {
			return err
		}
	}
	return nil
}

// versionTable has the versions of what is running.
func versionTable() (string, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", errors.New("the program does not know its modules")
	}
	var w strings.Builder
	fmt.Fprintf(&w, "| | version |\n|---|---|\n| Go | %s |\n", strings.TrimPrefix(runtime.Version(), "go"))
	for _, m := range info.Deps {
		if slices.Contains(measuredModules, m.Path) {
			fmt.Fprintf(&w, "| %s | %s |\n", m.Path, m.Version)
		}
	}
	return w.String(), nil
}
