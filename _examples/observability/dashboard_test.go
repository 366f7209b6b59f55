package main

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func dashboardText(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// registerPlugins tells the schema the panels and the queries that Grafana has.
var registerPlugins = sync.OnceFunc(plugins.RegisterDefaultPlugins)

// strict is what the schema has of a part of a dashboard: nothing may be unknown, missing or of another type.
type strict interface {
	UnmarshalJSONStrict(text []byte) error
	Validate() error
}

func decode(part strict, text []byte) error {
	err := part.UnmarshalJSONStrict(text)
	if faults, ok := errors.AsType[cog.BuildErrors](err); ok && len(faults) == 0 { // a list of faults, and none in it
		err = nil
	}
	return errors.Join(err, part.Validate())
}

// parsed reads a dashboard by Grafana's own schema. Its panels are read one by one, because the schema takes each to be faulty in a
// dashboard, with an empty list of faults, and leaves it out.
//
//lint:ignore SA1019 the classic schema is the one that every Grafana imports
func parsed(text []byte) (d dashboard.Dashboard, panels []dashboard.Panel, err error) {
	registerPlugins()
	if err := decode(&d, text); err != nil {
		return d, nil, err
	}
	var parts struct{ Panels []json.RawMessage }
	if err := json.Unmarshal(text, &parts); err != nil {
		return d, nil, err
	}
	panels = make([]dashboard.Panel, len(parts.Panels))
	for i, text := range parts.Panels {
		err = errors.Join(err, decode(&panels[i], text))
	}
	return d, panels, err
}

// The dashboard is one by Grafana's schema; with a fault anywhere in it it would not be.
func TestDashboardSchema(t *testing.T) {
	text := dashboardText(t)
	d, panels, err := parsed(text)
	if err != nil {
		t.Fatal(err)
	}
	if d.Id != nil || d.Uid == nil || *d.Uid == "" || d.Title == nil || len(panels) < 10 {
		t.Fatalf("got=%+v, want a title, a uid that stays, no id, which Grafana gives, and panels", d)
	}
	for name, change := range map[string][2]string{
		"unknown member of the dashboard": {`"uid": "echo-identity"`, `"uidd": "echo-identity"`},
		"unknown member of a panel":       {`"gridPos"`, `"gridPosition"`},
		"unknown member of a query":       {`"legendFormat"`, `"legend"`},
		"unknown option":                  {`"reduceOptions"`, `"reduce"`},
		"another type":                    {`"schemaVersion": 39`, `"schemaVersion": "39"`},
		"unknown mode":                    {`"hide": 0`, `"hide": "no"`},
	} {
		broken := strings.Replace(string(text), change[0], change[1], 1)
		if broken == string(text) {
			t.Fatalf("%s: %s is not in the dashboard", name, change[0])
		}
		if _, _, err := parsed([]byte(broken)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// queries are the expressions of the dashboard, by panel.
func queries(t *testing.T) map[string][]string {
	t.Helper()
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(dashboardText(t), &d); err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			if target.Expr == "" {
				t.Fatalf("%s: a query without an expression", p.Title)
			}
			all[p.Title] = append(all[p.Title], target.Expr)
		}
	}
	if len(all) == 0 || len(all) != len(d.Panels) {
		t.Fatalf("got=%d panels with queries, want all %d", len(all), len(d.Panels))
	}
	return all
}

// Panels have identifiers of their own, lie within the grid and on top of no other, and ask the data source that the viewer chooses.
func TestDashboardPanels(t *testing.T) {
	t.Parallel()
	var d struct {
		Panels []struct {
			ID         int
			Title      string
			Datasource struct{ Type, UID string }
			GridPos    struct{ X, Y, W, H int }
			Targets    []struct {
				RefID      string
				Datasource struct{ Type, UID string }
			}
		}
		Templating struct {
			List []struct{ Name, Type string }
		}
	}
	if err := json.Unmarshal(dashboardText(t), &d); err != nil {
		t.Fatal(err)
	}
	variables := make(map[string]string)
	for _, v := range d.Templating.List {
		variables[v.Name] = v.Type
	}
	if variables["datasource"] != "datasource" || variables["job"] != "query" || len(variables) != 2 {
		t.Fatalf("got=%v", variables)
	}
	ids, cells := make(map[int]bool), make(map[[2]int]string)
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("%d %q: want an identifier of its own, a title and queries", p.ID, p.Title)
		}
		ids[p.ID] = true
		refs := make(map[string]bool)
		for _, target := range p.Targets {
			if target.Datasource.UID != "${datasource}" || p.Datasource.UID != "${datasource}" || refs[target.RefID] || target.RefID == "" {
				t.Errorf("%s: got=%+v", p.Title, target)
			}
			refs[target.RefID] = true
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if under := cells[[2]int{x, y}]; under != "" || x < 0 || x >= 24 {
					t.Fatalf("%s lies on %q, or outside of 24 columns, at %d, %d", p.Title, under, x, y)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
	used := regexp.MustCompile(`\$\{?([a-z_]+)`)
	for panel, exprs := range queries(t) {
		for _, expr := range exprs {
			for _, name := range used.FindAllStringSubmatch(expr, -1) {
				if variables[name[1]] == "" && name[1] != "__rate_interval" {
					t.Errorf("%s: %s is no variable of the dashboard", panel, name[0])
				}
			}
		}
	}
}

// selector is a metric with its matchers, as the dashboard and the rules write it.
var selector = regexp.MustCompile(`\b(identity_[a-z_]+)(?:\{|\[)|\((identity_[a-z_]+)\) >`)

// Every metric that the dashboard and the alert rules name is among those that are scraped, and so is every label.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	e, origin := started(t)
	mend := e.breakKeyServer()
	if err := e.traffic(t.Context(), origin); err != nil {
		t.Fatal(err)
	}
	mend()
	scraped := get(t, origin+"/metrics")
	sets := queries(t)
	rules, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	sets["alerts.yml"] = []string{string(rules)}
	seen := make(map[string]bool)
	label := regexp.MustCompile(`\b(?:identity|error)_[a-z_]+\b`)
	for where, exprs := range sets {
		for _, expr := range exprs {
			for _, m := range selector.FindAllStringSubmatch(expr, -1) {
				name := m[1] + m[2]
				seen[name] = true
				if !strings.Contains(scraped, "\n"+name+"{") {
					t.Errorf("%s: %s is not scraped", where, name)
				}
			}
			for _, name := range label.FindAllString(expr, -1) {
				if !seen[name] && !strings.Contains(scraped, "{"+name+"=") && !strings.Contains(scraped, ","+name+"=") {
					if where != "alerts.yml" || !strings.HasPrefix(name, "identity_refusals") { // the recorded one
						t.Errorf("%s: %s is neither a metric nor a label", where, name)
					}
				}
			}
		}
	}
	var all []string // nothing that is told is left out of the dashboard
	for line := range strings.Lines(scraped) {
		if rest, ok := strings.CutPrefix(line, "# TYPE identity_"); ok {
			name, kind, _ := strings.Cut("identity_"+strings.TrimSpace(rest), " ")
			if kind == "histogram" {
				name += "_bucket"
			}
			all = append(all, name)
		}
	}
	slices.Sort(all)
	if len(all) != 10 {
		t.Errorf("got=%v, want ten metrics", all)
	}
	for _, name := range all {
		if !seen[name] {
			t.Errorf("%s is in no panel", name)
		}
	}
}
