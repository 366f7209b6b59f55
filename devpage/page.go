package devpage

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"time"

	"github.com/echo-identity/identity"
)

//go:embed page.css
var style string

//go:embed page.html
var document string

// policy lets the page have its own style and nothing else: no script, no picture, no form, no frame.
var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"clock":   func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"instant": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"failed":  func(s identity.Step) bool { return s.Outcome == identity.Failed },
	"reached": func(s identity.Step) bool { return s.Outcome != identity.NotReached },
}).Parse(document))

// render writes the page. An error means that nobody reads on.
func render(w io.Writer, refusals []Refusal, total int) {
	page.Execute(w, struct {
		Style    template.CSS
		Total    int
		Refusals []Refusal
	}{template.CSS(style), total, refusals})
}
