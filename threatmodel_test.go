package identity_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile("`(?:([a-z0-9/]+)\\.)?((?:Test|Fuzz)\\w*)(?:/([^`]+))?`")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w*)\(`)
	link     = regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	// behaviourName is an entry of the table in internal/behaviour.
	behaviourName = regexp.MustCompile(`"(\w+)":\s+test\w+\[M\]`)
)

// testsIn are the tests and fuzzers of a folder.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range testFunc.FindAllSubmatch(text, -1) {
			found[string(match[1])] = true
		}
	}
	return found
}

// anchors are the headings of a document as links name them on GitHub: in lower case, hyphens for blanks, no punctuation.
func anchors(text string) map[string]bool {
	found := make(map[string]bool)
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		name := strings.NewReplacer(" ", "-", ",", "", ".", "", "'", "", ":", "").Replace(strings.ToLower(match[1]))
		found["#"+name] = true
	}
	return found
}

// subtests are the parts that a test of the root may be named with.
func subtests(t *testing.T) map[string]map[string]bool {
	t.Helper()
	classes, behaviours := make(map[string]bool), make(map[string]bool)
	for _, class := range attackClasses() {
		classes[strings.ReplaceAll(class.name, " ", "_")] = true
	}
	table, err := os.ReadFile(filepath.Join("internal", "behaviour", "behaviour.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range behaviourName.FindAllSubmatch(table, -1) {
		behaviours[string(match[1])] = true
	}
	return map[string]map[string]bool{"TestAttacks": classes, "TestEcho": behaviours, "TestHandler": behaviours}
}

// The threat model and the security policy name no test, no part of one, no file and no heading that is not there; and every class
// of attacks stands in the threat model.
func TestThreatModel(t *testing.T) {
	t.Parallel()
	parts, told := subtests(t), make(map[string]bool)
	folders := make(map[string]map[string]bool)
	named := 0
	for _, document := range []string{"THREATMODEL.md", "SECURITY.md"} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range testName.FindAllStringSubmatch(string(text), -1) {
			folder, name, part := match[1], match[2], match[3]
			if folders[folder] == nil {
				folders[folder] = testsIn(t, filepath.Join(".", folder))
			}
			named++
			if !folders[folder][name] {
				t.Errorf("%s: there is no %s", document, match[0])
			}
			if part != "" && (folder != "" || !parts[name][part]) {
				t.Errorf("%s: %s has no such part", document, match[0])
			}
			told[name+"/"+part] = true
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			target, anchor := match[1], match[2]
			if strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.FromSlash(target)); err != nil {
				t.Errorf("%s: %v", document, err)
			} else if anchor != "" {
				text, err := os.ReadFile(filepath.FromSlash(target))
				if err != nil || !anchors(string(text))[anchor] {
					t.Errorf("%s: there is no %s in %s (%v)", document, anchor, target, err)
				}
			}
		}
	}
	for class := range parts["TestAttacks"] {
		if !told["TestAttacks/"+class] {
			t.Errorf("the threat model does not name TestAttacks/%s", class)
		}
	}
	if named < 100 {
		t.Errorf("got=%d names of tests; are they still written in backticks?", named)
	}
}
