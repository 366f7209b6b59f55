package mockidp

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

var faultCalls = []adminEndpoint{
	{"GET", "faults", "the faults", nil, (*adminCall).getFaults},
	{"POST", "faults", "injects a fault", nil, (*adminCall).postFault},
	{"DELETE", "faults", "removes all faults", nil, (*adminCall).deleteFaults},
	{"DELETE", "faults/{fault}", "removes a fault", nil, (*adminCall).deleteFault},
}

// faultRequest is a [Fault] in JSON.
type faultRequest struct {
	Endpoint endpointName `json:"endpoint"`
	Tenant   string       `json:"tenant"`
	Policy   string       `json:"policy"`
	Host     string       `json:"host"`
	Times    int          `json:"times"`

	Delay    duration      `json:"delay"`
	Status   int           `json:"status"`
	Header   members       `json:"header"` // each a string, or null to remove it
	Body     optionalText  `json:"body"`
	Replace  []replacement `json:"replace"`
	Redirect string        `json:"redirect"`
	PadTo    int           `json:"padTo"`
	Gzip     bool          `json:"gzip"`
	Drip     duration      `json:"drip"`
	Truncate bool          `json:"truncate"`
	Reset    bool          `json:"reset"`
	Silence  bool          `json:"silence"`
}

// replacement changes a text of the answer, which [Fault.Edit] is for in Go.
type replacement struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// maxPadding bounds padTo: with gzip, the server has to pack it.
const maxPadding = 1 << 30

func (c *adminCall) postFault() (any, error) {
	var in faultRequest
	var f Fault
	if err := c.read(&in, func(p *problems) { f = in.fault(p) }); err != nil {
		return nil, err
	}
	a := &activeFault{Fault: f, left: f.Times}
	c.srv.faults.add(a)
	return a.described(a.left), nil
}

// fault checks and converts.
func (in *faultRequest) fault(p *problems) Fault {
	f := Fault{
		Endpoint: Endpoint(in.Endpoint), Tenant: in.Tenant, Policy: in.Policy, Host: in.Host, Times: in.Times,
		Delay: time.Duration(in.Delay), Status: in.Status, Redirect: in.Redirect, PadTo: int64(in.PadTo), Gzip: in.Gzip,
		Drip: time.Duration(in.Drip), Truncate: in.Truncate, Reset: in.Reset, Silence: in.Silence,
	}
	for _, number := range []struct {
		path       string
		value, max int64
	}{
		{".times", int64(in.Times), 1 << 30}, {".padTo", int64(in.PadTo), maxPadding}, {".delay", int64(in.Delay), int64(time.Hour)}, {".drip", int64(in.Drip), int64(time.Hour)},
	} {
		if number.value < 0 || number.value > number.max {
			p.add(number.path, "is negative or too large")
		}
	}
	if in.Status != 0 && (in.Status < 200 || in.Status > 599) {
		p.add(".status", "%d is not a status from 200 to 599", in.Status)
	}
	if in.Body.set {
		f.Body = []byte(in.Body.text)
	}
	f.Header = in.headers(p)
	if len(in.Replace) > 0 {
		f.Edit = in.edit(p)
	}
	return f
}

func (in *faultRequest) headers(p *problems) http.Header {
	h := make(http.Header)
	for _, m := range in.Header {
		var value *string
		if raw, _ := m.value.(json.RawMessage); json.Unmarshal(raw, &value) != nil {
			p.add(".header."+m.name, "want a string, or null to remove the header")
			continue
		}
		name := http.CanonicalHeaderKey(m.name)
		if h[name] = nil; value != nil {
			h[name] = []string{*value}
		}
	}
	return h
}

func (in *faultRequest) edit(p *problems) func([]byte) []byte {
	var pairs []string
	for i, r := range in.Replace {
		if r.Old == "" {
			p.add(fmt.Sprintf(".replace[%d].old", i), "is required")
		}
		pairs = append(pairs, r.Old, r.New)
	}
	all := strings.NewReplacer(pairs...)
	return func(body []byte) []byte { return []byte(all.Replace(string(body))) }
}

// described is what a fault does, and how often it still will.
func (a *activeFault) described(left int) object {
	o := object{{"id", a.number}, {"endpoint", endpointWords[a.Endpoint]}}
	add := func(name string, value any, wanted bool) {
		if wanted {
			o = append(o, member{name, value})
		}
	}
	add("tenant", a.Tenant, a.Tenant != "")
	add("policy", a.Policy, a.Policy != "")
	add("host", a.Host, a.Host != "")
	add("left", left, a.Times > 0)
	add("delay", a.Delay.String(), a.Delay != 0)
	add("status", a.Status, a.Status != 0)
	headers := object{}
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		var value any
		if values := a.Header[name]; len(values) > 0 {
			value = strings.Join(values, ", ")
		}
		headers.set(name, value)
	}
	add("header", headers, len(headers) > 0)
	add("body", string(a.Body), a.Body != nil)
	add("edits", true, a.Edit != nil)
	add("redirect", a.Redirect, a.Redirect != "")
	add("padTo", a.PadTo, a.PadTo != 0)
	add("gzip", true, a.Gzip)
	add("drip", a.Drip.String(), a.Drip != 0)
	add("truncate", true, a.Truncate)
	add("reset", true, a.Reset)
	add("silence", true, a.Silence)
	return o
}

// getFaults lists the faults in the order in which they are tried, those that a test in Go injected among them.
func (c *adminCall) getFaults() (any, error) {
	f := &c.srv.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []object{}
	for _, a := range f.active {
		list = append(list, a.described(a.left))
	}
	return object{{"faults", list}}, nil
}

func (c *adminCall) deleteFaults() (any, error) {
	f := &c.srv.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = nil
	return nil, nil
}

func (c *adminCall) deleteFault() (any, error) {
	number, err := strconv.Atoi(c.args["fault"])
	if err != nil || !c.srv.faults.remove(number) {
		return nil, refused(http.StatusNotFound, "{fault}", "there is no fault %q, or no more", c.args["fault"])
	}
	return nil, nil
}

// endpointWords are the endpoints in JSON.
var endpointWords = map[Endpoint]string{
	AnyEndpoint: "any", Discovery: "discovery", JWKS: "jwks", OtherEndpoint: "other", AuthorizeEndpoint: "authorize", TokenEndpoint: "token",
	DeviceCodeEndpoint: "deviceCode", LogoutEndpoint: "logout", UserInfoEndpoint: "userInfo", InstanceDiscovery: "instanceDiscovery", UserRealm: "userRealm",
	PageEndpoint: "page", AdminConsentEndpoint: "adminConsent",
}

// endpointName is an Endpoint in JSON.
type endpointName Endpoint

// UnmarshalText implements [encoding.TextUnmarshaler].
func (e *endpointName) UnmarshalText(text []byte) error {
	for endpoint, word := range endpointWords {
		if word == string(text) {
			*e = endpointName(endpoint)
			return nil
		}
	}
	return fmt.Errorf("%q is none of %s", text, strings.Join(slices.Sorted(maps.Values(endpointWords)), ", "))
}

// optionalText is a text that may be missing, which is not the same as empty.
type optionalText struct {
	text string
	set  bool
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *optionalText) UnmarshalText(text []byte) error {
	o.text, o.set = string(text), true
	return nil
}
