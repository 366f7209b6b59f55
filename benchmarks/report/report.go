// Package report writes what was measured: a table for the terminal, and the same one in Markdown.
package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Section is a table about one question.
type Section struct {
	Title   string
	Note    string // how it was measured
	Columns []string
	Rows    []Row
}

// Row is a line of a table. Its first cell says what the others are about.
type Row struct {
	Cells   []string
	Targets []Target
}

// Target is a figure and what it was meant to be.
type Target struct {
	want  string
	holds bool
}

// AtMost is a target that a figure must not exceed. The format is that of the limit.
func AtMost(got, limit float64, format string) Target {
	return Target{"≤ " + fmt.Sprintf(format, limit), got <= limit}
}

// AtLeast is a target that a figure must reach.
func AtLeast(got, limit float64, format string) Target {
	return Target{"≥ " + fmt.Sprintf(format, limit), got >= limit}
}

// Verdict is "ok" or "missed", or nothing without a target.
func (r *Row) Verdict() string {
	switch {
	case len(r.Targets) == 0:
		return ""
	case r.missed() > 0:
		return "missed"
	}
	return "ok"
}

func (r *Row) missed() (n int) {
	for _, t := range r.Targets {
		if !t.holds {
			n++
		}
	}
	return n
}

// Targets counts the targets of a section, and those that were missed.
func (s *Section) Targets() (all, missed int) {
	for i := range s.Rows {
		all += len(s.Rows[i].Targets)
		missed += s.Rows[i].missed()
	}
	return all, missed
}

// table is the section with its targets as columns, if it has any.
func (s *Section) table() (columns []string, rows [][]string) {
	columns = s.Columns
	targets, _ := s.Targets()
	if targets > 0 {
		columns = append(columns[:len(columns):len(columns)], "target", "")
	}
	for i := range s.Rows {
		r := &s.Rows[i]
		cells := r.Cells
		if targets > 0 {
			wants := make([]string, len(r.Targets))
			for i, t := range r.Targets {
				wants[i] = t.want
			}
			cells = append(cells[:len(cells):len(cells)], strings.Join(wants, ", "), r.Verdict())
		}
		rows = append(rows, cells)
	}
	return columns, rows
}

// Text writes the section for a terminal.
func (s *Section) Text(w io.Writer) error {
	columns, rows := s.table()
	widths := make([]int, len(columns))
	for _, cells := range append(rows[:len(rows):len(rows)], columns) {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n%s\n%s\n\n", s.Title, strings.Repeat("─", utf8.RuneCountInString(s.Title)), wrap(s.Note, terminal))
	for _, cells := range append([][]string{columns}, rows...) {
		var line strings.Builder
		for i, cell := range cells {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if leftAligned(i, len(s.Columns)) {
				line.WriteString(cell + padding + "  ")
			} else {
				line.WriteString(padding + cell + "  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Markdown writes the section for a document.
func (s *Section) Markdown(w io.Writer) error {
	columns, rows := s.table()
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", s.Title, wrap(s.Note, document))
	b.WriteString("| " + strings.Join(columns, " | ") + " |\n|")
	for i := range columns {
		if leftAligned(i, len(s.Columns)) {
			b.WriteString("---|")
		} else {
			b.WriteString("--:|")
		}
	}
	b.WriteString("\n")
	for _, cells := range rows {
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// leftAligned are names and targets; figures are not.
func leftAligned(column, figures int) bool { return column == 0 || column >= figures }

// Text writes a paragraph for a terminal.
func Text(w io.Writer, text string) error {
	_, err := fmt.Fprintf(w, "%s\n", wrap(text, terminal))
	return err
}

// Markdown writes a paragraph for a document.
func Markdown(w io.Writer, text string) error {
	_, err := fmt.Fprintf(w, "\n%s\n", wrap(text, document))
	return err
}

// How wide lines are.
const (
	terminal = 80
	document = 130
)

func wrap(text string, width int) string {
	var b strings.Builder
	length := 0
	for _, word := range strings.Fields(text) {
		switch n := utf8.RuneCountInString(word); {
		case length == 0:
			length = n
		case length+1+n > width:
			b.WriteByte('\n')
			length = n
		default:
			b.WriteByte(' ')
			length += 1 + n
		}
		b.WriteString(word)
	}
	return b.String()
}
