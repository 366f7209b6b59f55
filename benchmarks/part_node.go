package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/echo-identity/identity/benchmarks/report"
	"github.com/echo-identity/identity/mockidp"
)

// nodeReport is what node/bench.mjs prints.
type nodeReport struct {
	Node     string            `json:"node"`
	Versions map[string]string `json:"versions"`
	Costs    []nodeCost        `json:"costs"`
}

type nodeCost struct {
	Name   string    `json:"name"`
	Ratio  float64   `json:"ratio"`
	Rounds []float64 `json:"rounds"`
	Micros float64   `json:"micros"`
}

// measureNode measures the libraries of Node.js on the same tokens, with Node's own RSA as the unit.
func (b *bench) measureNode() (report.Section, error) {
	section := report.Section{
		Title: "Node.js", Columns: []string{"", "ratio", "lowest", "highest", "µs"},
		Note: "Processor time as a multiple of one RSA-2048 verification of the same bytes by node:crypto, in the same process and in turns " +
			"as above. fast-jwt has one key at hand, in PEM, so that it works synchronously; jose has a local key set.",
	}
	if _, err := exec.LookPath("node"); errors.Is(err, exec.ErrNotFound) {
		section.Note = "Not measured: Node.js is not installed."
		return section, nil
	}
	if _, err := os.Stat("node/node_modules"); errors.Is(err, os.ErrNotExist) {
		if out, err := exec.CommandContext(b.ctx, "npm", "--prefix", "node", "ci").CombinedOutput(); err != nil {
			return section, fmt.Errorf("npm ci: %w: %s", err, out)
		}
	}
	input, err := b.nodeInput()
	if err != nil {
		return section, err
	}
	defer os.RemoveAll(filepath.Dir(input))
	script := exec.CommandContext(b.ctx, "node", "node/bench.mjs", input)
	script.Stderr = os.Stderr
	out, err := script.Output()
	if err != nil {
		return section, fmt.Errorf("node: %w", err)
	}
	b.node = new(nodeReport)
	if err := json.Unmarshal(out, b.node); err != nil {
		return section, fmt.Errorf("node printed %q: %w", out, err)
	}
	for _, c := range b.node.Costs {
		low, high := slices.Min(c.Rounds), slices.Max(c.Rounds)
		section.Rows = append(section.Rows, report.Row{Cells: []string{c.Name, ratio(c.Ratio), ratio(low), ratio(high), fmt.Sprintf("%.2f", c.Micros)}})
	}
	return section, nil
}

// nodeInput writes the tokens, the public keys and the plan to a file of its own directory.
func (b *bench) nodeInput() (string, error) {
	url, err := b.corpus.KeySetURL(b.corpus.Tenants[0])
	if err != nil {
		return "", err
	}
	keySet, err := b.corpus.Get(url)
	if err != nil {
		return "", err
	}
	tokens := make([]string, len(b.mixed))
	for i, token := range b.mixed {
		tokens[i] = token.Raw
	}
	var issuers []string
	for issuer := range b.corpus.Issuers() {
		issuers = append(issuers, issuer)
	}
	text, err := json.Marshal(map[string]any{
		"tokens": tokens, "keySet": json.RawMessage(keySet), "keyID": b.corpus.KeyID, "issuers": issuers, "audience": mockidp.API,
		"rounds": b.plan.Rounds, "turns": b.plan.Turns, "turnMillis": b.plan.Turn.Milliseconds(),
	})
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "benchmarks")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tokens.json")
	return path, os.WriteFile(path, text, 0o600)
}
