package plot_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity/benchmarks/plot"
)

var bars = []plot.Bar{
	{Name: "ours, warm", Cost: 0.03, Ours: true},
	{Name: "ours, cold", Cost: 1.09, Ours: true},
	{Name: "another", Cost: 1.47},
	{Name: "one more", Cost: 2.99},
}

// texts are the texts of an SVG, in order. It has to be well-formed.
func texts(t *testing.T, svg []byte) (all []string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			all = append(all, strings.TrimRight(string(text), "\u00a0"))
		}
	}
}

// Every bar has its name and its cost beside it; the legend names who is there. PLOT_DIR keeps the plots, to look at.
func TestBars(t *testing.T) {
	t.Parallel()
	for _, theme := range plot.Themes {
		svg, err := plot.Bars(theme, "Costs", bars)
		if err != nil {
			t.Fatal(err)
		}
		got := texts(t, svg)
		for _, want := range []string{"Costs", "ours, warm", "0.03", "ours, cold", "1.09", "another", "1.47", "one more", "2.99", "the signature", "identity",
			"other libraries"} {
			if !slices.Contains(got, want) {
				t.Errorf("%s: no %q in %q", theme.Name, want, got)
			}
		}
		if dir := os.Getenv("PLOT_DIR"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, "bars-"+theme.Name+".svg"), svg, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestBarsOfOurs(t *testing.T) {
	t.Parallel()
	svg, err := plot.Bars(plot.Themes[0], "Costs", bars[:2])
	if err != nil {
		t.Fatal(err)
	}
	if got := texts(t, svg); slices.Contains(got, "other libraries") || !slices.Contains(got, "1.09") {
		t.Errorf("got=%q, want 1.09 and no other libraries", got)
	}
}
