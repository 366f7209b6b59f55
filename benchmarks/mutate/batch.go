package main

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// batch is mutants that are compiled together: each is switched on by its number, counted from one, in the environment variable
// MUTANT, and without it none is. This saves most of the time. A change that cannot be switched on is a batch of its own.
type batch []*mutant

const (
	maxBatch    = 50
	switchName  = "mutantSwitchedOn"
	environment = "MUTANT"
)

// batches puts each mutant into the first batch in which nothing overlaps with it.
func batches(mutants []*mutant) (all []batch) {
	open := 0 // the batches before this are full
	var alone []batch
	for _, m := range mutants {
		if !m.switched() {
			alone = append(alone, batch{m})
			continue
		}
		i := open
		for i < len(all) && (len(all[i]) == maxBatch || slices.ContainsFunc(all[i], m.overlaps)) {
			i++
		}
		if i == len(all) {
			all = append(all, nil)
		}
		all[i] = append(all[i], m)
		for open < len(all) && len(all[open]) == maxBatch {
			open++
		}
	}
	return append(all, alone...)
}

func (m *mutant) overlaps(other *mutant) bool {
	return m.path == other.path && m.start < other.end && other.start < m.end
}

// overlay writes the mutated files to a folder, with the list that the go command wants. It returns the path of that list.
func (b batch) overlay(folder string) (string, error) {
	replace := make(map[string]string)
	write := func(path, text string) error {
		at := filepath.Join(folder, fmt.Sprintf("%d_%s", len(replace), filepath.Base(path)))
		path, err := filepath.Abs(path)
		replace[path] = at
		if err != nil {
			return err
		}
		return os.WriteFile(at, []byte(text), 0o600)
	}
	numbers := make(map[*mutant]int)
	files := make(map[string]batch)
	for i, m := range b {
		numbers[m] = i + 1
		files[m.path] = append(files[m.path], m)
	}
	for path, mutants := range files {
		slices.SortFunc(mutants, func(a, b *mutant) int { return a.start - b.start })
		var text strings.Builder
		rest := 0
		for _, m := range mutants {
			text.Write(m.source[rest:m.start])
			text.WriteString(strings.ReplaceAll(m.by, on, fmt.Sprintf("(%s == %d)", switchName, numbers[m])))
			rest = m.end
		}
		text.Write(mutants[0].source[rest:])
		if err := write(path, text.String()); err != nil {
			return "", err
		}
	}
	first := b[0]
	file, err := parser.ParseFile(token.NewFileSet(), first.path, first.source, parser.PackageClauseOnly)
	if err != nil {
		return "", err
	}
	err = write(filepath.Join(filepath.Dir(first.path), "mutantswitch.go"), fmt.Sprintf(
		"package %s\n\nimport (\n\t\"os\"\n\t\"strconv\"\n)\n\nvar %s, _ = strconv.Atoi(os.Getenv(%q))\n", file.Name, switchName, environment))
	if err != nil {
		return "", err
	}
	if err := write(filepath.Join(filepath.Dir(first.path), "aaa_mutantswitch_test.go"), fmt.Sprintf(turnSource, file.Name)); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "overlay.json")
	return path, os.WriteFile(path, list, 0o600)
}
