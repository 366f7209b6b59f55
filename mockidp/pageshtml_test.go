package mockidp_test

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"testing"
)

// element is an HTML element as the pages write them: every attribute quoted or bare, every element closed but the void ones.
type element struct {
	tag      string
	attrs    map[string]string
	parent   *element
	content  string // of text, of style and of script
	children []*element
}

// textTag is the tag of text between elements.
const textTag = "#text"

// voidElements have no end tag.
var voidElements = []string{"meta", "link", "input", "br"}

// parseHTML is stricter than a browser, which repairs what it is given: anything left open, closed twice or unquoted is an error.
func parseHTML(text string) (*element, error) {
	rest, ok := strings.CutPrefix(text, "<!DOCTYPE html>\n")
	if !ok {
		return nil, fmt.Errorf("no doctype")
	}
	root := &element{tag: "#document"}
	open := root
	for rest != "" {
		start := strings.IndexByte(rest, '<')
		if start < 0 {
			start = len(rest)
		}
		if err := open.addText(rest[:start]); err != nil {
			return nil, err
		}
		if rest = rest[start:]; rest == "" {
			break
		}
		tag, after, err := cutTag(rest[1:])
		if err != nil {
			return nil, err
		}
		rest = after
		if name, end := strings.CutPrefix(tag, "/"); end {
			if open.tag != name {
				return nil, fmt.Errorf("</%s> closes <%s>", name, open.tag)
			}
			open = open.parent
			continue
		}
		e, err := newElement(tag)
		if err != nil {
			return nil, err
		}
		e.parent = open
		open.children = append(open.children, e)
		switch {
		case slices.Contains(voidElements, e.tag):
		case e.tag == "style" || e.tag == "script":
			body, after, ok := strings.Cut(rest, "</"+e.tag+">")
			if !ok {
				return nil, fmt.Errorf("<%s> is not closed", e.tag)
			}
			e.content, rest = body, after
		default:
			open = e
		}
	}
	if open != root {
		return nil, fmt.Errorf("<%s> is not closed", open.tag)
	}
	return root, nil
}

// cutTag finds the end of a tag outside of quotes.
func cutTag(s string) (tag, rest string, err error) {
	quoted := false
	for i := range len(s) {
		switch s[i] {
		case '"':
			quoted = !quoted
		case '<':
			if !quoted {
				return "", "", fmt.Errorf("< in the tag <%s", s[:i])
			}
		case '>':
			if !quoted {
				return s[:i], s[i+1:], nil
			}
		}
	}
	return "", "", fmt.Errorf("the tag <%.40s does not end", s)
}

func newElement(tag string) (*element, error) {
	name, rest, _ := strings.Cut(strings.ReplaceAll(tag, "\n", " "), " ")
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz123456") != "" {
		return nil, fmt.Errorf("%q is no element", name)
	}
	e := &element{tag: name, attrs: map[string]string{}}
	for rest = strings.TrimLeft(rest, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		end := strings.IndexAny(rest, "= ")
		if end < 0 {
			end = len(rest)
		}
		attr, value := rest[:end], ""
		if rest = rest[end:]; strings.HasPrefix(rest, `="`) {
			var ok bool
			if value, rest, ok = strings.Cut(rest[2:], `"`); !ok {
				return nil, fmt.Errorf("<%s %s> is not quoted", name, attr)
			}
		} else if strings.HasPrefix(rest, "=") {
			return nil, fmt.Errorf("<%s %s> is not quoted", name, attr)
		}
		if _, twice := e.attrs[attr]; twice {
			return nil, fmt.Errorf("<%s %s> is there twice", name, attr)
		}
		e.attrs[attr] = html.UnescapeString(value)
	}
	return e, nil
}

// addText notes text, in which only known entities and no bare ampersand may be.
func (e *element) addText(text string) error {
	for i, part := range strings.Split(text, "&") {
		if i > 0 && !strings.HasPrefix(part, "#") && html.UnescapeString("&"+part) == "&"+part {
			return fmt.Errorf("a bare & in <%s>: %.40q", e.tag, part)
		}
	}
	if text != "" {
		e.children = append(e.children, &element{tag: textTag, content: html.UnescapeString(text), parent: e})
	}
	return nil
}

// text is its own text and that of everything in it.
func (e *element) text() string {
	var b strings.Builder
	e.write(&b)
	return b.String()
}

func (e *element) write(b *strings.Builder) {
	b.WriteString(e.content)
	for _, c := range e.children {
		c.write(b)
	}
}

// all are the elements below e of these tags, in order; none named means all.
func (e *element) all(tags ...string) []*element {
	var found []*element
	for _, c := range e.children {
		if len(tags) == 0 && c.tag != textTag || slices.Contains(tags, c.tag) {
			found = append(found, c)
		}
		found = append(found, c.all(tags...)...)
	}
	return found
}

// one is the only element of a tag.
func (e *element) one(t *testing.T, tag string) *element {
	t.Helper()
	found := e.all(tag)
	if len(found) != 1 {
		t.Fatalf("<%s>: got=%d, want=1", tag, len(found))
	}
	return found[0]
}

// byID finds an element, or nil.
func (e *element) byID(id string) *element {
	for _, c := range e.all() {
		if c.attrs["id"] == id {
			return c
		}
	}
	return nil
}

// words is the text with single blanks.
func (e *element) words() string { return strings.Join(strings.Fields(e.text()), " ") }

// checkPage parses a page and checks what holds for every one of them.
func checkPage(t *testing.T, text string) *element {
	t.Helper()
	doc, err := parseHTML(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	checkLandmarks(t, doc)
	checkNames(t, doc)
	ids := map[string]bool{}
	for _, e := range doc.all() {
		if id := e.attrs["id"]; id != "" && ids[id] {
			t.Errorf("the ID %q is there twice", id)
		} else if id != "" {
			ids[id] = true
		}
		for name, value := range e.attrs {
			switch {
			case strings.HasPrefix(name, "on"), name == "style":
				t.Errorf("<%s> has %s", e.tag, name)
			case name == "src", name == "href" && e.tag == "link" && value != "data:,":
				t.Errorf("<%s> loads %q", e.tag, value)
			}
		}
		for _, name := range []string{"for", "aria-describedby", "aria-labelledby"} {
			if target, ok := e.attrs[name]; ok && doc.byID(target) == nil {
				t.Errorf("<%s %s=%q> points nowhere", e.tag, name, target)
			}
		}
		if target, ok := strings.CutPrefix(e.attrs["href"], "#"); ok && doc.byID(target) == nil {
			t.Errorf("the link #%s points nowhere", target)
		}
	}
	return doc
}

// checkLandmarks: a language, a title, one main part with one first heading, and no level of headings left out.
func checkLandmarks(t *testing.T, doc *element) {
	t.Helper()
	if lang := doc.one(t, "html").attrs["lang"]; lang != "en" {
		t.Errorf("lang: got=%q, want=en", lang)
	}
	if title := doc.one(t, "title").words(); !strings.HasSuffix(title, " · mockidp") {
		t.Errorf("title: got=%q", title)
	}
	doc.one(t, "main")
	doc.one(t, "header")
	level := 0
	for _, h := range doc.all("h1", "h2", "h3", "h4") {
		n := int(h.tag[1] - '0')
		if n > level+1 || n == 1 && level > 0 {
			t.Errorf("<%s> %q follows level %d", h.tag, h.words(), level)
		}
		if h.words() == "" {
			t.Errorf("<%s> is empty", h.tag)
		}
		level = n
	}
	if !strings.Contains(doc.one(t, "header").text(), "This is not Microsoft") {
		t.Error("the page does not say that it is not Microsoft's")
	}
}

// checkNames: whatever can be used has a name.
func checkNames(t *testing.T, doc *element) {
	t.Helper()
	labelled := map[string]bool{}
	for _, l := range doc.all("label") {
		labelled[l.attrs["for"]] = l.words() != ""
	}
	for _, e := range doc.all("input", "textarea", "select") {
		if e.attrs["type"] != "hidden" && (e.attrs["id"] == "" || !labelled[e.attrs["id"]]) {
			t.Errorf("<%s name=%q> has no label", e.tag, e.attrs["name"])
		}
	}
	for _, e := range doc.all("button", "a", "summary") {
		if e.words() == "" {
			t.Errorf("<%s> has no text", e.tag)
		}
	}
	for _, e := range doc.all("nav", "section") {
		if e.attrs["aria-label"] == "" && e.attrs["aria-labelledby"] == "" {
			t.Errorf("<%s> has no name", e.tag)
		}
	}
}
