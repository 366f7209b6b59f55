package mockidp

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"
)

//go:embed pages
var pageFiles embed.FS

// pageTemplates are parsed when the first page is asked for: most tests never see one.
var pageTemplates = sync.OnceValue(func() map[string]*template.Template {
	files, err := pageFiles.ReadDir("pages")
	if err != nil {
		panic(fmt.Sprintf("mockidp: pages: %v", err))
	}
	layout := template.Must(template.ParseFS(pageFiles, "pages/layout.html"))
	all := make(map[string]*template.Template)
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".html"); ok && name != "layout" {
			all[name] = template.Must(template.Must(layout.Clone()).ParseFS(pageFiles, "pages/"+f.Name()))
		}
	}
	return all
})

// pageFile is a style sheet or script. Both stand in the pages themselves, so that a page is one answer and needs no address that
// a tenant's could collide with.
func pageFile(name string) string {
	text, err := pageFiles.ReadFile("pages/" + name)
	if err != nil {
		panic(fmt.Sprintf("mockidp: pages: %v", err))
	}
	return string(text)
}

// pageView is what the layout gets.
type pageView struct {
	Title  string
	Style  pageStyle
	Script pageScript
	Page   page
}

// pageAnswer renders a page. Its status is for the page alone: browsers show all of them.
func pageAnswer(status int, p page) answer {
	view := pageView{Title: p.title(), Style: pageStyle(pageFile("style.css")), Page: p}
	if name := scriptOf(p); name != "" {
		view.Script = pageScript(pageFile(name))
	}
	var body bytes.Buffer
	if err := pageTemplates()[p.template()].ExecuteTemplate(&body, "layout.html", view); err != nil {
		panic(fmt.Sprintf("mockidp: page %s: %v", p.template(), err)) // the templates are part of the program, the data are plain
	}
	return answer{status: status, header: http.Header{
		"Content-Type":            {"text/html; charset=utf-8"},
		"Content-Security-Policy": {contentPolicy(p, view)},
		"Cache-Control":           {"no-store"},
		// Not no-referrer: forms would then be posted with "Origin: null".
		"Referrer-Policy":        {"strict-origin"},
		"X-Content-Type-Options": {"nosniff"},
	}, body: body.Bytes()}
}

// scriptOf is the file of the page's script. Every page works without it.
func scriptOf(p page) string {
	switch p.(type) {
	case formPostPage:
		return "formpost.js"
	case tokenPage:
		return "copy.js"
	}
	return ""
}

// contentPolicy allows nothing but the page's own style and script, which it names by their hash.
//
// Where a form goes is only said for pages that never lead to an application: browsers hold every redirect after a form to
// form-action, those of the application included, and no identity provider knows these. The answer to prompt=none is read in a
// frame of the application, so that a form_post page may be framed; a page that asks must not be, or somebody else's page could
// have its buttons clicked.
func contentPolicy(p page, v pageView) string {
	policy := []string{"default-src 'none'", "style-src " + sourceHash(string(v.Style)), "img-src data:", "base-uri 'none'"}
	if v.Script != "" {
		policy = append(policy, "script-src "+sourceHash(string(v.Script)))
	}
	if _, framed := p.(formPostPage); !framed {
		policy = append(policy, "frame-ancestors 'none'")
	}
	switch p.(type) {
	case tokenPage, deviceCodePage, messagePage, signedOutPage, errorPage:
		policy = append(policy, "form-action 'self'")
	}
	return strings.Join(policy, "; ")
}

func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
