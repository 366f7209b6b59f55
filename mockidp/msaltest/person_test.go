package msaltest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/echo-identity/identity/mockidp"
)

// person signs in with a browser that runs no script: it reads pages and posts their forms.
type person struct {
	login, password string
	userCode        string // for the page that asks for a device's code
	declines        bool   // the last question, instead of accepting

	browser *http.Client
	pages   []string // headings of the pages that were seen
}

func (w *world) newPerson(t *testing.T, login, password string) *person {
	t.Helper()
	return newPerson(t, login, password, toServer{w.Server})
}

// newPerson has an empty browser.
func newPerson(t *testing.T, login, password string, network http.RoundTripper) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{login: login, password: password}
	p.browser = &http.Client{
		Jar:       jar,
		Transport: network,
		// Of a redirect to the application the address is what counts: nobody listens there.
		CheckRedirect: func(req *http.Request, _ []*http.Request) error {
			if !isServer(req.URL) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	return p
}

// toServer reaches the server under its names, and applications that listen on http under theirs.
type toServer struct{ idp *mockidp.Server }

func (t toServer) RoundTrip(req *http.Request) (*http.Response, error) {
	if isServer(req.URL) {
		return t.idp.Transport().RoundTrip(req)
	}
	return http.DefaultTransport.RoundTrip(req)
}

// isServer: applications of these tests listen on http, or nobody listens at all.
func isServer(u *url.URL) bool {
	return u.Scheme == "https" && !strings.HasSuffix(u.Hostname(), "contoso.example")
}

// open goes to an address and does what the pages ask, until the browser is back at the application. The result is the address
// that a redirect led to, or for a form_post answer the redirect URI.
func (p *person) open(ctx context.Context, address string) (*url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	for range 10 {
		if err != nil {
			return nil, err
		}
		resp, err := p.browser.Do(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return nil, err
		}
		at := resp.Request.URL
		if to, err := resp.Location(); err == nil && !isServer(to) {
			return to, nil
		}
		if !isServer(at) {
			return at, nil
		}
		doc, err := html.Parse(strings.NewReader(string(body)))
		if err != nil {
			return nil, err
		}
		p.pages = append(p.pages, text(find(doc, "h1")))
		if resp.StatusCode >= 400 {
			return nil, fmt.Errorf("%s: %d: %s", at, resp.StatusCode, text(find(doc, "main")))
		}
		f := p.fill(doc)
		if f == nil {
			return at, nil
		}
		to, err := at.Parse(f.action)
		if err != nil {
			return nil, err
		}
		req, err = http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(f.values.Encode()))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return nil, fmt.Errorf("%s: no end after the pages %q", address, p.pages)
}

type form struct {
	action string
	values url.Values
}

// fill fills in the last form of a page: where accounts are offered, too, that is the one for any other account.
func (p *person) fill(doc *html.Node) *form {
	forms := findAll(doc, "form")
	if len(forms) == 0 {
		return nil
	}
	last := forms[len(forms)-1]
	f := &form{attr(last, "action"), url.Values{}}
	for _, input := range findAll(last, "input") {
		f.values.Set(attr(input, "name"), attr(input, "value"))
	}
	answers := map[string]string{"loginfmt": p.login, "passwd": p.password, "otc": p.userCode}
	for name, value := range answers {
		if f.values.Has(name) {
			f.values.Set(name, value)
		}
	}
	buttons := findAll(last, "button")
	button := buttons[0]
	if p.declines && !f.values.Has("loginfmt") && !f.values.Has("otc") {
		button = buttons[len(buttons)-1]
	}
	if name := attr(button, "name"); name != "" {
		f.values.Set(name, attr(button, "value"))
	}
	return f
}

func findAll(n *html.Node, tag string) []*html.Node {
	var found []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == tag {
			found = append(found, d)
		}
	}
	return found
}

func find(n *html.Node, tag string) *html.Node {
	if all := findAll(n, tag); len(all) > 0 {
		return all[0]
	}
	return n
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
