package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/echo-identity/identity/benchmarks/plot"
	"github.com/echo-identity/identity/benchmarks/report"
)

// measuredModules are those whose version matters to the figures.
var measuredModules = []string{
	"github.com/MicahParks/keyfunc/v3", "github.com/coreos/go-oidc/v3", "github.com/go-jose/go-jose/v4", "github.com/golang-jwt/jwt/v5",
	"github.com/labstack/echo-jwt/v4", "github.com/labstack/echo/v4", "github.com/lestrrat-go/jwx/v3", "github.com/maypok86/otter/v2",
	"github.com/zitadel/oidc/v3",
}

// writeResults writes RESULTS.md and the plots that it and the README show.
func (b *bench) writeResults(dir string, sections []report.Section) error {
	if err := b.writePlots(dir); err != nil {
		return err
	}
	versions, err := b.versions()
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "RESULTS.md"))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "# Results\n\nWritten by `go -C benchmarks run . -write` on %s.\n\n%s\n%s\n%s",
		time.Now().UTC().Format(time.DateOnly), versions, picture("peers", "cost by library"), picture("tenants", "cost by number of tenants")); err != nil {
		return err
	}
	if err := report.Markdown(f, b.explanation()); err != nil {
		return err
	}
	for i := range sections {
		if err := sections[i].Markdown(f); err != nil {
			return err
		}
	}
	return f.Close()
}

// picture shows the plot that suits the reader's page.
func picture(name, description string) string {
	return fmt.Sprintf("<picture>\n  <source media=\"(prefers-color-scheme: dark)\" srcset=\"%[1]s-dark.svg\">\n"+
		"  <img alt=\"%[2]s\" src=\"%[1]s-light.svg\">\n</picture>\n", name, description)
}

func (b *bench) writePlots(dir string) error {
	for _, p := range []struct {
		name, title string
		bars        []plot.Bar
	}{
		{"peers", "Processor time to verify an access token, in RSA-2048 verifications", b.peerBars()},
		{"tenants", "Processor time by the number of tenants, in RSA-2048 verifications", b.tenantBars()},
	} {
		for _, theme := range plot.Themes {
			svg, err := plot.Bars(theme, p.title, p.bars)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, p.name+"-"+theme.Name+".svg"), svg, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) peerBars() (bars []plot.Bar) {
	for _, c := range b.peers {
		bars = append(bars, plot.Bar{Name: strings.Replace(c.Name, ", whole Echo stack", " in Echo", 1), Cost: c.Ratio,
			Ours: strings.HasPrefix(c.Name, "identity")})
	}
	return bars
}

func (b *bench) tenantBars() (bars []plot.Bar) {
	for _, s := range b.scale {
		bars = append(bars, plot.Bar{Name: s.cold.Name, Cost: s.cold.Ratio, Ours: true})
	}
	for _, s := range b.scale {
		bars = append(bars, plot.Bar{Name: s.warm.Name, Cost: s.warm.Ratio, Ours: true})
	}
	return bars
}

// versions are those of the machine and of everything that was measured, from what is running and not from memory.
func (b *bench) versions() (string, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", errors.New("the program does not know its modules")
	}
	var w strings.Builder
	w.WriteString("| | version |\n|---|---|\n")
	row := func(name, version string) { fmt.Fprintf(&w, "| %s | %s |\n", name, version) }
	row("processor", report.Machine())
	row("Go", strings.TrimPrefix(runtime.Version(), "go"))
	for _, m := range info.Deps {
		if slices.Contains(measuredModules, m.Path) {
			row(m.Path, m.Version)
		}
	}
	if b.node != nil {
		row("Node.js", b.node.Node)
		for _, name := range slices.Sorted(maps.Keys(b.node.Versions)) {
			row(name, "v"+b.node.Versions[name])
		}
	}
	return w.String(), nil
}
