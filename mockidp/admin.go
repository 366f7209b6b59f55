package mockidp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// AdminPath is where the admin API begins.
const AdminPath = "/.mockidp/"

// maxAdminBody bounds a request to the admin API. A directory may be large.
const maxAdminBody = 16 << 20

// WithAdmin serves the admin API: what the methods of [Server] do, over HTTP and in JSON, for tests that are not written in Go.
// ADMIN.md beside this package describes every call with an example.
//
//	GET    /.mockidp/                                          this list
//	GET    /.mockidp/directory                                 everything, in the shape of a directory file
//	PUT    /.mockidp/directory                                 replaces everything
//	GET    /.mockidp/tenants/{tenant}                          one tenant
//	POST   /.mockidp/tenants                                   adds a tenant, or replaces it
//	DELETE /.mockidp/tenants/{tenant}                          removes a tenant
//	POST   /.mockidp/tenants/{tenant}/users                    adds a user, or replaces it
//	DELETE /.mockidp/tenants/{tenant}/users/{user}             removes a user
//	POST   /.mockidp/tenants/{tenant}/applications             adds an application, or replaces it
//	DELETE /.mockidp/tenants/{tenant}/applications/{client}    removes an application
//	POST   /.mockidp/tenants/{tenant}/enterprise-applications  records an administrator's consent
//	DELETE /.mockidp/tenants/{tenant}/enterprise-applications/{client}  takes an application out of a tenant
//	POST   /.mockidp/personal-accounts                         adds a personal account, or replaces it
//	DELETE /.mockidp/personal-accounts/{user}                  removes a personal account
//	GET    /.mockidp/tenants/{tenant}/tokens                   the kinds of tokens that can be minted
//	POST   /.mockidp/tenants/{tenant}/tokens                   mints a token
//	POST   /.mockidp/tenants/{tenant}/sign-in                  signs a user in without a page
//	POST   /.mockidp/walk                                      takes an authorize URL to its end
//	GET    /.mockidp/device-codes                              the user codes that wait
//	POST   /.mockidp/device-codes/{code}                       approves a device code, or declines it
//	POST   /.mockidp/sign-out                                  ends all sessions in browsers
//	GET    /.mockidp/tenants/{tenant}/keys                     the keys of a tenant
//	POST   /.mockidp/tenants/{tenant}/keys/rotate              publishes a new key and signs with it
//	POST   /.mockidp/tenants/{tenant}/keys/prepublish          publishes a new key
//	POST   /.mockidp/tenants/{tenant}/keys/{kid}/use           signs with a published key
//	DELETE /.mockidp/tenants/{tenant}/keys/{kid}               withdraws a key
//	GET    /.mockidp/faults                                    the faults
//	POST   /.mockidp/faults                                    injects a fault
//	DELETE /.mockidp/faults                                    removes all faults
//	DELETE /.mockidp/faults/{fault}                            removes a fault
//	GET    /.mockidp/clock                                     the time
//	PUT    /.mockidp/clock                                     sets the clock
//	POST   /.mockidp/clock/advance                             moves the clock
//	DELETE /.mockidp/clock                                     sets the clock right
//	GET    /.mockidp/requests                                  the requests that were recorded
//	DELETE /.mockidp/requests                                  forgets them
//
// It answers callers on the same machine alone, under a loopback name; a page of another origin can neither change nor read anything.
// Its requests are not recorded, and no fault hits them. What is wrong with a request is said all at once, with paths.
func WithAdmin() Option {
	return func(s *Server) { s.admin = &admin{} }
}

// admin is the state of the admin API.
type admin struct {
	clock movableClock
}

// adminEndpoint is a call of the API. Braces in the path stand for a segment, those of the query are all that it takes.
type adminEndpoint struct {
	method, path string
	does         string
	query        []string
	serve        func(*adminCall) (any, error)
}

var adminEndpoints []adminEndpoint

func init() { // not a plain value: the list of them is one of them
	adminEndpoints = slices.Concat([]adminEndpoint{
		{"GET", "", "this list", nil, (*adminCall).list},
	}, directoryCalls, tokenCalls, sessionCalls, keyCalls, faultCalls, clockCalls, requestCalls)
}

// adminCall is a request to the API.
type adminCall struct {
	srv  *Server
	rt   *route
	r    *http.Request
	args map[string]string // of the path
}

// adminRefusal is an answer that is not what was asked for.
type adminRefusal struct {
	status   int
	problems problems
}

func (r *adminRefusal) Error() string { return strings.Join(r.problems.texts(), "; ") }

func refused(status int, path, format string, args ...any) *adminRefusal {
	r := &adminRefusal{status: status}
	r.problems.add(path, format, args...)
	return r
}

// badRequest is an error only if there are problems.
func badRequest(p problems) error {
	if len(p) == 0 {
		return nil
	}
	return &adminRefusal{http.StatusBadRequest, p}
}

func isAdmin(rt *route, r *http.Request) bool {
	return rt.known && (strings.HasPrefix(r.URL.Path, AdminPath) || r.URL.Path+"/" == AdminPath)
}

// serveAdmin answers. What the caller can get wrong is a 4xx; the panics of a package that panics on misuse are among it.
func (s *Server) serveAdmin(rt *route, r *http.Request) (a answer) {
	defer func() {
		v := recover()
		if text, ok := v.(string); ok && strings.HasPrefix(text, "mockidp: ") {
			a = adminRefused(refused(http.StatusBadRequest, "", "%s", strings.TrimPrefix(text, "mockidp: ")))
		} else if v != nil {
			panic(v)
		}
	}()
	if bad := foreignCaller(rt, r); bad != nil {
		return adminRefused(bad)
	}
	c := &adminCall{srv: s, rt: rt, r: r}
	endpoint, bad := c.find()
	if bad != nil {
		a := adminRefused(bad)
		if bad.status == http.StatusMethodNotAllowed {
			a.header.Set("Allow", strings.Join(c.methods(), ", "))
		}
		return a
	}
	body, err := endpoint.serve(c)
	if err != nil {
		if bad, ok := err.(*adminRefusal); ok {
			return adminRefused(bad)
		}
		return adminRefused(refused(http.StatusBadRequest, "", "%s", strings.TrimPrefix(err.Error(), "mockidp: ")))
	}
	if body == nil {
		body = object{}
	}
	return adminAnswer(http.StatusOK, body)
}

func adminAnswer(status int, body any) answer {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(body); err != nil {
		panic("mockidp: " + err.Error())
	}
	return answer{status: status, header: http.Header{
		"Content-Type":           {"application/json; charset=utf-8"},
		"Cache-Control":          {"no-store"},
		"X-Content-Type-Options": {"nosniff"},
	}, body: text.Bytes()}
}

// adminRefused lists what is wrong.
func adminRefused(r *adminRefusal) answer {
	errors := []object{}
	for _, p := range r.problems {
		o := object{{"message", p.text}}
		if path := strings.TrimPrefix(p.path, "."); path != "" && path != "the file" {
			o = append(object{{"path", path}}, o...)
		}
		errors = append(errors, o)
	}
	return adminAnswer(r.status, object{{"errors", errors}})
}

// foreignCaller refuses other machines, names that a foreign page can have (DNS rebinding), and changes by other origins (CSRF). What
// they GET changes nothing, and browsers keep the answers from them: no header allows otherwise.
func foreignCaller(rt *route, r *http.Request) *adminRefusal {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); r.RemoteAddr != "" && (err != nil || !isLoopback(host)) {
		return refused(http.StatusForbidden, "", "the admin API is for callers on the same machine")
	}
	if !rt.local() {
		return refused(http.StatusForbidden, "", "the admin API is reached under localhost or a loopback address, not under %q", rt.host)
	}
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		return refused(http.StatusForbidden, "", "the admin API is not for pages of other origins: %v", err)
	}
	return nil
}

// segments takes the path apart before it is decoded, so that a name may have a slash.
func (c *adminCall) segments() []string {
	rest := strings.TrimPrefix(strings.TrimPrefix(c.r.URL.EscapedPath(), strings.TrimSuffix(AdminPath, "/")), "/")
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		if text, err := url.PathUnescape(s); err == nil {
			segments[i] = text
		}
	}
	return segments
}

// matches compares a path with the pattern of an endpoint.
func (e *adminEndpoint) matches(segments []string) (args map[string]string, ok bool) {
	pattern := strings.Split(e.path, "/")
	if len(pattern) != len(segments) {
		return nil, false
	}
	args = make(map[string]string)
	for i, p := range pattern {
		switch {
		case strings.HasPrefix(p, "{") && segments[i] != "":
			args[strings.Trim(p, "{}")] = segments[i]
		case p != segments[i]:
			return nil, false
		}
	}
	return args, true
}

// methods are those that the path is served with.
func (c *adminCall) methods() []string {
	var methods []string
	for i := range adminEndpoints {
		if e := &adminEndpoints[i]; !slices.Contains(methods, e.method) {
			if _, ok := e.matches(c.segments()); ok {
				methods = append(methods, e.method)
			}
		}
	}
	return methods
}

// find chooses the endpoint.
func (c *adminCall) find() (*adminEndpoint, *adminRefusal) {
	segments, method := c.segments(), c.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range adminEndpoints {
		e := &adminEndpoints[i]
		args, ok := e.matches(segments)
		if !ok || e.method != method {
			continue
		}
		c.args = args
		return e, c.checkQuery(e)
	}
	if methods := c.methods(); len(methods) > 0 {
		return nil, refused(http.StatusMethodNotAllowed, "", "%s is not for this address, which takes %s", c.r.Method, strings.Join(methods, ", "))
	}
	return nil, refused(http.StatusNotFound, "", "the admin API has no %s; GET %s lists what it has", c.r.URL.Path, AdminPath)
}

// checkQuery refuses parameters that would have no effect.
func (c *adminCall) checkQuery(e *adminEndpoint) *adminRefusal {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return refused(http.StatusBadRequest, "query", "cannot be decoded")
	}
	var p problems
	for name, values := range query {
		switch {
		case !slices.Contains(e.query, name):
			p.add("query."+name, "unknown parameter")
		case len(values) > 1:
			p.add("query."+name, "comes twice")
		}
	}
	if len(p) == 0 {
		return nil
	}
	slices.SortFunc(p, func(a, b problem) int { return strings.Compare(a.path, b.path) })
	return &adminRefusal{http.StatusBadRequest, p}
}

// body is the JSON of the request; none counts as an empty object.
func (c *adminCall) body() ([]byte, error) {
	if c.r.Body == nil {
		return []byte("{}"), nil
	}
	text, err := io.ReadAll(io.LimitReader(c.r.Body, maxAdminBody+1))
	switch media, _, mediaErr := mime.ParseMediaType(c.r.Header.Get("Content-Type")); {
	case err != nil:
		return nil, refused(http.StatusBadRequest, "", "the body cannot be read")
	case len(text) > maxAdminBody:
		return nil, refused(http.StatusRequestEntityTooLarge, "", "the body is larger than %d MiB", maxAdminBody>>20)
	case len(text) == 0:
		return []byte("{}"), nil
	case mediaErr != nil || media != "application/json":
		return nil, refused(http.StatusUnsupportedMediaType, "", "the body needs the header Content-Type: application/json")
	}
	return text, nil
}

// read decodes the body strictly; more is what only the endpoint can find wrong with it.
func (c *adminCall) read(into any, more func(*problems)) error {
	unread, err := c.decode(into)
	if err != nil {
		return err
	}
	var found problems
	if more != nil {
		more(&found)
	}
	return badRequest(append(unread, beyond(unread, found)...))
}

// decode gives what could not be read as problems. It is an error when there is nothing to look at.
func (c *adminCall) decode(into any) (unread problems, err error) {
	text, err := c.body()
	if err != nil {
		return nil, err
	}
	if at, err := syntaxError(text); err != nil {
		return nil, refused(http.StatusBadRequest, at, "%v", err)
	}
	decodeStrict(text, into, &unread)
	if jsonType(bytes.TrimSpace(text)) != "an object" {
		return nil, badRequest(unread)
	}
	return unread, nil
}

func (c *adminCall) query(name string) string { return c.r.URL.Query().Get(name) }

// list is what there is.
func (c *adminCall) list() (any, error) {
	var list []object
	for _, e := range adminEndpoints {
		o := object{{"method", e.method}, {"path", AdminPath + e.path}, {"does", e.does}}
		if len(e.query) > 0 {
			o = append(o, member{"query", e.query})
		}
		list = append(list, o)
	}
	return object{{"endpoints", list}}, nil
}

// tenant finds the one that the path names, by GUID or domain.
func (c *adminCall) tenant() (*TenantHandle, error) {
	name, kind := strings.ToLower(c.args["tenant"]), c.query("kind")
	if !slices.Contains([]string{"", kindWord(Workforce), kindWord(B2C), kindWord(External)}, kind) {
		return nil, refused(http.StatusBadRequest, "query.kind", "%q is none of workforce, b2c, external", kind)
	}
	var found []*tenant
	for _, t := range c.srv.listedTenants() {
		if (name == t.ID || name == t.Domain || name == t.domain()) && (kind == "" || kind == kindWord(t.Kind)) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return nil, refused(http.StatusNotFound, "{tenant}", "there is no tenant %q", strings.TrimSpace(kind+" "+name))
	case 1:
		return &TenantHandle{srv: c.srv, t: found[0]}, nil
	}
	return nil, refused(http.StatusBadRequest, "{tenant}", "%d tenants are called %q: %s", len(found), name, severalTenants(found))
}

// severalTenants says how to tell them apart.
func severalTenants(found []*tenant) string {
	texts := make([]string, len(found))
	for i, t := range found {
		texts[i] = fmt.Sprintf("%s?kind=%s", t.ID, kindWord(t.Kind))
	}
	return strings.Join(texts, ", ")
}
