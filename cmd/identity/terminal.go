package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// terminal is how text for people is set on a stream.
type terminal struct {
	w       io.Writer
	width   int
	colours colours // all empty where there are none
}

// colours are the sequences that begin a kind of text.
type colours struct{ good, bad, warning, faint, strong, end string }

var (
	// ofCube are colours of the 256, whose luminance is about as far from black as from white: they can be read on both.
	ofCube = colours{"\x1b[38;5;28m", "\x1b[38;5;160m", "\x1b[38;5;130m", "\x1b[38;5;243m", "\x1b[1m", "\x1b[0m"}
	// ofEight are for terminals with no more. Yellow is not among them: on white it cannot be read.
	ofEight = colours{"\x1b[32m", "\x1b[31m", "\x1b[35m", "", "\x1b[1m", "\x1b[0m"}
)

const (
	standardWidth = 80
	leastWidth    = 40
	mostWidth     = 120 // longer lines are tiring to read
)

// terminalOf looks at where w goes. Colours are for terminals, unless NO_COLOR is set (https://no-color.org) or TERM says that there are
// none. COLUMNS comes before the width that the terminal states.
func terminalOf(w io.Writer, env func(string) string) *terminal {
	t := &terminal{w: w, width: standardWidth}
	file, ok := w.(*os.File)
	columns, tty := 0, false
	if ok {
		columns, tty = terminalSize(file)
	}
	if n, err := strconv.Atoi(env("COLUMNS")); err == nil && n > 0 {
		columns = n
	}
	if columns > 0 {
		t.width = min(max(columns, leastWidth), mostWidth)
	}
	if name := env("TERM"); tty && env("NO_COLOR") == "" && name != "" && name != "dumb" {
		t.colours = ofEight
		if strings.Contains(name, "256color") || env("COLORTERM") != "" {
			t.colours = ofCube
		}
	}
	return t
}

// in sets text in one of the colours.
func (t *terminal) in(colour, text string) string {
	if colour == "" || text == "" {
		return text
	}
	return colour + text + t.colours.end
}

// line writes words as they are.
func (t *terminal) line(text string) { fmt.Fprintln(t.w, strings.TrimRight(text, " ")) }

// repainted is a stream for text in the colours of [identity.Report], which become the ones that are used here: green as terminals
// have it can hardly be read on white.
func (t *terminal) repainted() io.Writer {
	c := t.colours
	return repainted{t.w, strings.NewReplacer("\x1b[1;32m", c.strong+c.good, "\x1b[1;31m", c.strong+c.bad, "\x1b[2m", c.faint)}
}

type repainted struct {
	w      io.Writer
	colour *strings.Replacer
}

func (r repainted) Write(text []byte) (int, error) {
	if _, err := r.colour.WriteString(r.w, string(text)); err != nil {
		return 0, err
	}
	return len(text), nil
}

// paragraph writes text in a colour, broken at blanks: the first line behind first, the others as far from the edge. A word that is longer
// than a line stays whole, so that an address can be copied.
func (t *terminal) paragraph(first, colour, text string) {
	indent := utf8.RuneCountInString(first)
	for _, line := range wrap(text, t.width-indent) {
		t.line(first + t.in(colour, line))
		first = strings.Repeat(" ", indent)
	}
}

// wrap breaks text into lines.
func wrap(text string, width int) (lines []string) {
	line, length := "", 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if length > 0 && length+1+n > width {
			lines = append(lines, line)
			line, length = "", 0
		}
		if length > 0 {
			line += " "
			length++
		}
		line += word
		length += n
	}
	if length > 0 {
		lines = append(lines, line)
	}
	return lines
}

// printable is text that somebody else wrote, with everything escaped that a terminal might obey or that turns the direction of writing.
func printable(text string) string {
	if !strings.ContainsFunc(text, unprintable) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unprintable(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }

// shorten cuts text to a number of characters, in the middle.
func shorten(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	head := (most - 1) / 2
	return string(runes[:head]) + "…" + string(runes[len(runes)-(most-1-head):])
}
