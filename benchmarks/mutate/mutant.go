package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// mutant is a source file with one change.
type mutant struct {
	path   string // of the file
	source []byte // the file

	file     string // its name
	function string // where the change is: the function, or the variable or constant
	line     int
	column   int
	what     string // what the change does
	was      string // the text that it is about

	start, end int // the bytes that are replaced
	by         string
}

func (m *mutant) String() string {
	return fmt.Sprintf("%s:%d:%d %s: %s: %s", m.file, m.line, m.column, m.function, m.what, m.was)
}

// on stands for the switch in the text of a change that can be switched on.
const on = "MUTANT"

// switched reports whether the change can be switched on while the program runs. A constant cannot.
func (m *mutant) switched() bool { return strings.Contains(m.by, on) }

// id tells the mutant from all others, and from those of another version of the file.
func (m *mutant) id() string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s%s%s", m.source[:m.start], m.by, m.source[m.end:])
	return m.file + " " + hex.EncodeToString(hash.Sum(nil)[:16])
}

// brief is source text in one short line.
func brief(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 70 {
		return string(runes[:70]) + "…"
	}
	return text
}
