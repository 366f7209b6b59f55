package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"text/tabwriter"
)

// results are what became of mutants.
type results struct {
	path string // where they are kept; empty: nowhere

	mu  sync.Mutex
	all map[string]result // by id
}

type result struct {
	Mutant string `json:"mutant"`
	trial
}

func readResults(path string) (*results, error) {
	r := &results{path: path, all: make(map[string]result)}
	if path == "" {
		return r, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &r.all)
	}
	return r, err
}

func (r *results) of(m *mutant) (result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.all[m.id()]
	return found, ok
}

// add writes a result down, at once: a run takes hours.
func (r *results) add(m *mutant, t trial) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[m.id()] = result{m.String(), t}
	if r.path == "" {
		return nil
	}
	text, err := json.MarshalIndent(r.all, "", "\t")
	if err != nil {
		return err
	}
	next := r.path + ".next"
	if err := os.WriteFile(next, text, 0o644); err != nil {
		return err
	}
	return os.Rename(next, r.path)
}

// print writes the table and the survivors.
func (r *results) print(w io.Writer, mutants []*mutant) {
	type count map[verdict]int
	var files []string
	counts, sum := make(map[string]count), make(count)
	var survivors []*mutant
	for _, m := range mutants {
		if counts[m.file] == nil {
			counts[m.file] = make(count)
			files = append(files, m.file)
		}
		known, _ := r.of(m)
		counts[m.file][known.Verdict]++
		sum[known.Verdict]++
		if known.Verdict == survived {
			survivors = append(survivors, m)
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, c count) {
		dead, alive := c[killed]+c[timedOut], c[survived]
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t\n",
			name, dead+alive, c[killed], c[timedOut], alive, c[notCompiled], percent(dead, dead+alive))
	}
	fmt.Fprintln(table, "\nfile\tmutants\tkilled\tout of time\tsurvived\tnot compiled\tscore\t")
	for _, file := range files {
		line(file, counts[file])
	}
	line("all", sum)
	table.Flush()
	for _, m := range survivors {
		fmt.Fprintf(w, "%s %s\n", survived, m)
	}
}

func percent(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}
