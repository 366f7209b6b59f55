package main

import (
	_ "embed"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/echo-identity/identity/mockidp"
)

// settings are what a client needs to know, as it is printed.
type settings struct {
	Origin, Host string
	TLS, Admin   bool
	CAFile, Pin  string // empty with a certificate of the user's
	Tenants      []mockidp.Tenant
	More         int // tenants that are not listed
	Personal     []string

	Tenant    mockidp.Tenant // whose clients follow
	Authority string
	Login     string
	SignIn    string // address that signs a user in
	SPA       *client
	Native    *client
	Daemon    *client
	API       string // client ID of the API that they call
}

// client is an application with something to ask for.
type client struct {
	ID, Secret  string
	RedirectURI string
	Scope       string
}

// maxListed bounds the tenants, and the users of each, that are printed.
const maxListed = 8

func newSettings(origin string, f *mockFlags, idp *mockidp.Server, d mockidp.Directory) (*settings, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, err
	}
	s := &settings{Origin: origin, Host: u.Host, TLS: f.tls, Admin: f.admin, Tenants: d.Tenants}
	if len(d.Tenants) > maxListed {
		s.Tenants, s.More = d.Tenants[:maxListed], len(d.Tenants)-maxListed
	}
	if c := idp.CACertificate(); c != nil {
		s.Pin = pinOf(c)
		if s.CAFile, err = filepath.Abs(f.caFile); err != nil {
			return nil, err
		}
	}
	for _, a := range d.PersonalAccounts[:min(maxListed, len(d.PersonalAccounts))] {
		s.Personal = append(s.Personal, a.Login)
	}
	s.choose(d.Tenants)
	s.SignIn = s.signIn(d.Tenants)
	return s, nil
}

// signIn names the tenant by its domain, which is short, unless another one has the same.
func (s *settings) signIn(tenants []mockidp.Tenant) string {
	id, name, query := s.Tenant.ID, s.Tenant.Domain, ""
	for _, t := range tenants {
		if t.Domain == s.Tenant.Domain && (t.ID != id || t.Kind != s.Tenant.Kind) {
			name = ""
		}
		if t.ID == id && t.Kind != s.Tenant.Kind {
			query = "?kind=" + kindText(s.Tenant.Kind)
		}
	}
	if name != "" {
		id, query = name, ""
	}
	return s.Origin + mockidp.AdminPath + "tenants/" + id + "/sign-in" + query
}

func kindText(k mockidp.Kind) string {
	text, err := k.MarshalText()
	if err != nil {
		return k.String()
	}
	return string(text)
}

// choose takes the first tenant that has an API with clients.
func (s *settings) choose(tenants []mockidp.Tenant) {
	for _, t := range tenants {
		s.Tenant, s.Authority, s.API = t, s.Origin+"/"+t.ID, ""
		if t.Kind == mockidp.B2C {
			s.Authority += "/" + strings.ToLower(t.Policies[0])
		}
		s.SPA, s.Native, s.Daemon, s.Login = s.spa(), s.native(), s.daemon(), ""
		if len(t.Users) > 0 {
			s.Login = t.Users[0].Login
		}
		if s.SPA != nil || s.Native != nil || s.Daemon != nil {
			return
		}
	}
	s.Tenant = mockidp.Tenant{}
}

func (s *settings) spa() *client {
	for _, a := range s.Tenant.Applications {
		i := slices.IndexFunc(a.RedirectURIs.SPA, func(uri string) bool { return strings.Contains(uri, "://localhost") })
		if scope := s.scope(a); i >= 0 && scope != "" {
			return &client{ID: a.ID, RedirectURI: a.RedirectURIs.SPA[i], Scope: scope}
		}
	}
	return nil
}

func (s *settings) native() *client {
	for _, a := range s.Tenant.Applications {
		i := slices.IndexFunc(a.RedirectURIs.Native, func(uri string) bool { return strings.HasPrefix(uri, "http://localhost") })
		if scope := s.scope(a); i >= 0 && scope != "" {
			return &client{ID: a.ID, Scope: scope}
		}
	}
	return nil
}

// daemon is a client with a secret and a role of its own. B2C is left out: its directory, not a policy, issues such tokens.
func (s *settings) daemon() *client {
	for _, a := range s.Tenant.Applications {
		if len(a.Secrets) == 0 || s.Tenant.Kind == mockidp.B2C {
			continue
		}
		for _, p := range a.Permissions {
			if len(p.Roles) > 0 {
				return &client{ID: a.ID, Secret: a.Secrets[0], Scope: s.identifier(p.API) + "/.default"}
			}
		}
	}
	return nil
}

// scope is one that the application may ask for. The last: the first tends to be access_as_user, which says little.
func (s *settings) scope(a mockidp.Application) string {
	for _, p := range a.Permissions {
		if len(p.Scopes) > 0 {
			return s.identifier(p.API) + "/" + p.Scopes[len(p.Scopes)-1]
		}
	}
	return ""
}

// identifier is what clients call an API.
func (s *settings) identifier(api string) string {
	if s.API == "" {
		s.API = api
	}
	for _, a := range s.Tenant.Applications {
		if a.ID == api && len(a.IdentifierURIs) > 0 {
			return strings.TrimSuffix(a.IdentifierURIs[0], "/")
		}
	}
	return "api://" + api
}

// Audiences are what the API is called besides its client ID.
func (s *settings) Audiences() []string {
	for _, a := range s.Tenant.Applications {
		if a.ID == s.API {
			return a.IdentifierURIs
		}
	}
	return nil
}

// SignInBody asks for the SPA's token of a user.
func (s *settings) SignInBody() string {
	return fmt.Sprintf("{\"login\": %q,\n    \"client\": %q,\n    \"scopes\": [%q]}", s.Login, s.SPA.ID, s.SPA.Scope)
}

// CAOption is what curl needs to trust the server, with a blank in front.
func (s *settings) CAOption() string {
	if s.CAFile == "" {
		return ""
	}
	return " --cacert " + shellWord(s.CAFile)
}

// Registry is the tenants as package identity wants them.
func (s *settings) Registry() []string {
	var lines []string
	for _, t := range s.Tenants {
		switch t.Kind {
		case mockidp.B2C:
			lines = append(lines, fmt.Sprintf("{ID: %q, B2C: &identity.B2C{", t.ID),
				"\tHosts:    []string{server},", fmt.Sprintf("\tPolicies: %s,", goStrings(t.Policies)), "}},")
		case mockidp.External:
			lines = append(lines, fmt.Sprintf("{ID: %q,", t.ID), "\tExternal: &identity.External{Hosts: []string{server}}},")
		default:
			lines = append(lines, fmt.Sprintf("{ID: %q, Cloud: server},", t.ID))
		}
	}
	return lines
}

func goStrings(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = strconv.Quote(s)
	}
	return "[]string{" + strings.Join(quoted, ", ") + "}"
}

// logins lists who can sign in, with the passwords that are asked for.
func logins(t mockidp.Tenant) []string {
	var lines []string
	for i, u := range t.Users {
		if i == maxListed {
			lines = append(lines, fmt.Sprintf("and %d more", len(t.Users)-i))
			break
		}
		line := u.Login
		if u.Password != "" {
			line += ", password " + u.Password
		}
		if u.HomeTenant != "" {
			line += ", guest"
		}
		lines = append(lines, line)
	}
	return lines
}

// formOption is a parameter as curl sends it.
func formOption(name, value string) string {
	if url.QueryEscape(value) == value || strings.Contains(value, "://") {
		return "-d " + shellWord(name+"="+value)
	}
	return "--data-urlencode " + shellWord(name+"="+value)
}

// shellWord quotes a word for a shell where it needs that.
func shellWord(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-:@%+=,", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

//go:embed settings.txt
var settingsText string

var settingsTemplate = template.Must(template.New("settings").Funcs(template.FuncMap{
	"sh": shellWord, "q": strconv.Quote, "logins": logins, "kind": kindText, "list": goStrings, "form": formOption,
}).Parse(settingsText))

func (s *settings) print(w io.Writer) error { return settingsTemplate.Execute(w, s) }
