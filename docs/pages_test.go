package docs_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

const root = ".."

// files are those of the repository with one of the endings, but not what tests have been given to read.
func files(t *testing.T, endings ...string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch name := entry.Name(); {
			case name == "testdata" || name == "node_modules", strings.HasPrefix(name, ".") && name != "..":
				return filepath.SkipDir
			}
			return nil
		}
		for _, ending := range endings {
			if strings.HasSuffix(path, ending) {
				found = append(found, path)
			}
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		t.Fatalf("%v: got=%v, %v", endings, found, err)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lines are the text's without indentation and empty ones, so that a snippet can stand anywhere in a program.
func lines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

var snippet = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// What stands in a page stands in a program, line by line, that compiles and mostly also runs.
func TestSnippets(t *testing.T) {
	t.Parallel()
	var programs []string
	for _, path := range files(t, ".go") {
		programs = append(programs, "\n"+lines(read(t, path)))
	}
	count := 0
	for _, path := range files(t, ".md") {
		if filepath.Dir(path) != root+"/docs" {
			continue
		}
		for _, match := range snippet.FindAllStringSubmatch(read(t, path), -1) {
			count++
			want, ok := "\n"+lines(match[1]), false
			for _, program := range programs {
				ok = ok || strings.Contains(program, want)
			}
			if !ok {
				t.Errorf("%s: no program of this repository has these lines:\n%s", path, match[1])
			}
		}
	}
	if count < 15 {
		t.Errorf("got=%d snippets: is the pattern still right?", count)
	}
}

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	link    = regexp.MustCompile(`\]\(([^()\s]+(?:\([^()\s]*\))?)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	marked  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// anchors are what headings can be linked by, as GitHub makes them.
func anchors(text string) map[string]bool {
	found := make(map[string]bool)
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, marked.ReplaceAllString(match[1], "$1"))
		found[name] = true
	}
	return found
}

// Every link of every page leads somewhere: to a file, and to a heading in it. Those to other sites are only looked at, not followed:
// tests need no network.
func TestLinks(t *testing.T) {
	t.Parallel()
	followed, outside := 0, 0
	for _, path := range files(t, ".md") {
		text := read(t, path)
		for _, match := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			target, err := url.Parse(match[1])
			if err != nil {
				t.Errorf("%s: %s: %v", path, match[1], err)
				continue
			}
			if target.Scheme != "" {
				outside++
				if target.Scheme != "https" && target.Scheme != "mailto" || target.Host == "" && target.Scheme == "https" {
					t.Errorf("%s: %s: not an https address", path, match[1])
				}
				continue
			}
			followed++
			file := path
			if target.Path != "" {
				file = filepath.Join(filepath.Dir(path), target.Path)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %s: %v", path, match[1], err)
				continue
			}
			if target.Fragment != "" && !anchors(read(t, file))[target.Fragment] {
				t.Errorf("%s: %s: %s has no such heading", path, match[1], file)
			}
		}
	}
	if followed < 50 || outside < 10 {
		t.Errorf("got=%d and %d links: is the pattern still right?", followed, outside)
	}
}
