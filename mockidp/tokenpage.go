package mockidp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// tokenPage decodes a pasted, issued or ready-made token, explains it, and offers tokens to copy.
type tokenPage struct {
	Action  string // address of the form, with the choice of tenant
	Input   string // the token shown, or what was pasted instead of one
	Error   string
	Made    *readyMade // how the token shown was made; nil for another one
	Token   *decodedToken
	Verdict verdict

	Issued  []pageLink
	Tenants []pageLink
	Origins []pageLink
	Ready   []pageLink
	Broken  []pageGroup
	Kind    string // of the tenant chosen
	Tenant  string // its name
	Size    int    // entries of Broken
}

// pageLink is a choice.
type pageLink struct {
	Href, Label, Text string
	Detail            string // for a broken token: status and reason
	Current           bool
}

// pageGroup is choices under a heading.
type pageGroup struct {
	Label string
	Links []pageLink
	Open  bool
}

func (tokenPage) template() string { return "token" }

func (p tokenPage) title() string {
	switch {
	case p.Error != "":
		return "Error: Tokens"
	case p.Made != nil:
		return p.Made.Title + " · Tokens"
	}
	return "Tokens"
}

const (
	maxPasted        = 1 << 20  // bytes of a form with a token
	maxDiscarded     = 64 << 20 // bytes of a larger form that are read to be able to answer
	maxTenantsListed = 40
	microsoftsHosts  = "microsoft" // the choice of issuers at the hosts that the tenants have in production
)

// isTokenPage tells whether the request is for the token page. It is on loopback addresses alone: whoever reads it can have any
// token, and a page of somebody else's must not reach it under a name of its own.
func (rt *route) isTokenPage(path string) bool {
	return rt.local() && (path == "/" || path == "/token-page")
}

// tokenChoice is what the page's address says.
type tokenChoice struct {
	tenant  *tenant // nil when the server has none
	origin  string  // of issuers; empty: the tenant's own hosts
	address string  // the page without its query
}

func (s *Server) serveTokenPage(rt route, r *http.Request) answer {
	query := r.URL.Query()
	listed := s.listedTenants()
	choice := tokenChoice{address: r.URL.Path, origin: rt.origin}
	if query.Get("issuer") == microsoftsHosts {
		choice.origin = ""
	}
	p := tokenPage{}
	status := http.StatusOK
	if choice.tenant, p.Error = s.chosenTenant(listed, query); p.Error != "" {
		status = http.StatusNotFound
	}
	switch {
	case r.Method == http.MethodPost:
		status, p.Error = p.pasted(r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		a := plainAnswer(http.StatusMethodNotAllowed, "mockidp: this page is read with GET, and takes a token with POST\n")
		a.header.Set("Allow", "GET, HEAD, POST")
		return a
	case p.Error != "":
	case query.Has("issued"):
		if p.Input, p.Error = s.issued.find(query.Get("issued")); p.Error != "" {
			status = http.StatusNotFound
		}
	case query.Has("make") && choice.tenant != nil:
		if p.Made, p.Error = makeReady(s.choiceHandle(choice), query.Get("make")); p.Error != "" {
			status = http.StatusNotFound
			break
		}
		p.Input = p.Made.raw
	}
	if p.Input != "" && p.Error == "" {
		token := decodeToken(p.Input, s.now())
		p.Token, p.Verdict = &token, s.judge(&token, rt.origin)
		if p.Verdict.Class == "good" && len(token.Notes) > 0 {
			p.Verdict.Class, p.Verdict.Heading = "open", p.Verdict.Heading+", but something stands out"
		}
	}
	s.offer(&p, choice, listed, rt.origin, query)
	return pageAnswer(status, p)
}

// pasted reads the form. A token is never in an address, which is recorded and logged.
func (p *tokenPage) pasted(r *http.Request) (status int, problem string) {
	body := r.Body
	if body != nil {
		r.Body = http.MaxBytesReader(nil, body, maxPasted)
	}
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			io.CopyN(io.Discard, body, maxDiscarded) // browsers show no answer before they have sent all of it
			return http.StatusRequestEntityTooLarge, fmt.Sprintf("That is more than %d KiB, which no token is.", maxPasted>>10)
		}
		return http.StatusBadRequest, "The form could not be read."
	}
	p.Input = tokenText(r.PostForm.Get("token"))
	if p.Input == "" {
		return http.StatusBadRequest, "Paste a token first."
	}
	return http.StatusOK, ""
}

// listedTenants are the server's tenants in the order in which they are offered.
func (s *Server) listedTenants() []*tenant {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*tenant, 0, len(s.directory.tenants))
	for _, t := range s.directory.tenants {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *tenant) int {
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return strings.Compare(a.humanName()+a.ID, b.humanName()+b.ID)
	})
	return all
}

// chosenTenant is the one that the address names, or the first.
func (s *Server) chosenTenant(listed []*tenant, query url.Values) (t *tenant, problem string) {
	id, kind := strings.ToLower(query.Get("tenant")), query.Get("kind")
	for _, t := range listed {
		if (id == "" || t.ID == id) && (kind == "" || kindWord(t.Kind) == kind) {
			return t, ""
		}
	}
	if id == "" && kind == "" {
		return nil, ""
	}
	return nil, fmt.Sprintf("This server has no tenant %s.", strings.TrimSpace(kind+" "+id))
}

// kindWord is the kind in addresses.
func kindWord(k Kind) string {
	return [...]string{Workforce: "workforce", B2C: "b2c", External: "external"}[k]
}

func (s *Server) choiceHandle(c tokenChoice) *TenantHandle {
	handle := &TenantHandle{srv: s, t: c.tenant}
	if c.origin == "" {
		return handle
	}
	return handle.servedAt(c.origin)
}

// href is the address of the page with this choice, and more.
func (c tokenChoice) href(more ...string) string {
	query := url.Values{}
	if c.tenant != nil {
		query.Set("kind", kindWord(c.tenant.Kind))
		query.Set("tenant", c.tenant.ID)
	}
	if c.origin == "" {
		query.Set("issuer", microsoftsHosts)
	}
	fragment := ""
	for i := 0; i+1 < len(more); i += 2 {
		query.Set(more[i], more[i+1])
		fragment = "#token"
	}
	return c.address + "?" + query.Encode() + fragment
}

// offer fills in everything that can be chosen.
func (s *Server) offer(p *tokenPage, c tokenChoice, listed []*tenant, here string, query url.Values) {
	p.Action = c.href() + "#token"
	for _, i := range s.issued.list() {
		number := strconv.Itoa(i.Number)
		p.Issued = append(p.Issued, pageLink{Href: c.href("issued", number), Label: strings.ToUpper(i.Kind[:1]) + i.Kind[1:], Text: i.Who, Detail: momentText(i.Time, s.now()),
			Current: p.Error == "" && query.Get("issued") == number})
	}
	for n, t := range listed {
		other := c
		other.tenant = t
		if n < maxTenantsListed || t == c.tenant {
			p.Tenants = append(p.Tenants, pageLink{Href: other.href(), Label: t.humanName(), Text: kindName(t.Kind), Current: t == c.tenant})
		}
	}
	if c.tenant == nil {
		return
	}
	local, production := c, c
	local.origin, production.origin = here, ""
	p.Kind, p.Tenant = kindName(c.tenant.Kind), c.tenant.humanName()
	p.Origins = []pageLink{
		{Href: local.href(), Label: hostOf(here), Text: "as in this server's own documents", Current: c.origin != ""},
		{Href: production.href(), Label: hostOf(c.tenant.origin()), Text: "as in production", Current: c.origin == ""},
	}
	made := query.Get("make")
	for _, r := range readyTokens(c.tenant) {
		p.Ready = append(p.Ready, pageLink{Href: c.href("make", r.name), Label: r.title, Text: r.text, Current: made == r.name})
	}
	p.offerBroken(c, made)
}

func (p *tokenPage) offerBroken(c tokenChoice, made string) {
	checks, tokens := brokenByCheck(c.tenant.Kind)
	for _, check := range checks {
		group := pageGroup{Label: check}
		for _, b := range tokens[check] {
			link := pageLink{Href: c.href("make", brokenPrefix+b.Name), Label: b.Name, Text: b.Breaks,
				Detail: fmt.Sprintf("%d %s", b.Status, b.Reason), Current: made == brokenPrefix+b.Name}
			group.Open = group.Open || link.Current
			group.Links = append(group.Links, link)
		}
		p.Size += len(group.Links)
		p.Broken = append(p.Broken, group)
	}
}
