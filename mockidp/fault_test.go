package mockidp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// get is a request that may fail, in its answer or in its body.
func get(ctx context.Context, c *http.Client, url string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// both runs a test in memory and over TLS: what a client sees must be the same.
func both(t *testing.T, f func(t *testing.T, idp *mockidp.Server)) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		f(t, mockidp.New())
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		f(t, mockidp.Start(t))
	})
}

// M4
func TestFaults(t *testing.T) {
	both(t, func(t *testing.T, idp *mockidp.Server) {
		resp, good, err := get(t.Context(), idp.Client(), commonKeys)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(err)
		}
		rows := []struct {
			name   string
			fault  mockidp.Fault
			status int // 0: 200
			header string
			body   func([]byte) bool
			err    error
		}{
			{name: "none", body: func(b []byte) bool { return bytes.Equal(b, good) }},
			{name: "status", fault: mockidp.Fault{Status: 503, Header: http.Header{"retry-after": {"7"}, "Cache-Control": nil}}, status: 503, header: "7",
				body: func(b []byte) bool { return bytes.Contains(b, []byte("temporarily_unavailable")) }},
			{name: "status with the document", fault: mockidp.Fault{Status: 500, Edit: func(b []byte) []byte { return b }}, status: 500,
				body: func(b []byte) bool { return bytes.Equal(b, good) }},
			{name: "body", fault: mockidp.Fault{Body: []byte("<html>")}, body: func(b []byte) bool { return string(b) == "<html>" }},
			{name: "empty body", fault: mockidp.Fault{Body: []byte{}}, body: func(b []byte) bool { return len(b) == 0 }},
			{name: "edit", fault: mockidp.Fault{Edit: func(b []byte) []byte { return append(b, "x"...) }}, body: func(b []byte) bool { return string(b) == string(good)+"x" }},
			{name: "redirect", fault: mockidp.Fault{Redirect: "https://attacker.example/"}, status: 302},
			{name: "permanent redirect", fault: mockidp.Fault{Redirect: "https://attacker.example/", Status: 308}, status: 308},
			{name: "padded", fault: mockidp.Fault{PadTo: 3 << 20}, body: func(b []byte) bool {
				return len(b) == 3<<20 && json.Valid(b) && bytes.Equal(bytes.TrimLeft(b, " "), good)
			}},
			{name: "not padded", fault: mockidp.Fault{PadTo: 1}, body: func(b []byte) bool { return bytes.Equal(b, good) }},
			{name: "packed", fault: mockidp.Fault{Gzip: true}, body: func(b []byte) bool { return bytes.Equal(b, good) }},
			{name: "bomb", fault: mockidp.Fault{Gzip: true, PadTo: 20 << 20}, body: func(b []byte) bool { return len(b) == 20<<20 }},
			{name: "truncated", fault: mockidp.Fault{Truncate: true}, body: func(b []byte) bool { return bytes.Equal(b, good[:len(good)/2]) }, err: io.ErrUnexpectedEOF},
			{name: "dripping", fault: mockidp.Fault{Drip: time.Nanosecond, Body: []byte("abc")}, body: func(b []byte) bool { return string(b) == "abc" }},
			{name: "dripping and truncated", fault: mockidp.Fault{Drip: time.Nanosecond, Truncate: true, Body: []byte("abcd")},
				body: func(b []byte) bool { return string(b) == "ab" }, err: io.ErrUnexpectedEOF},
			{name: "late", fault: mockidp.Fault{Delay: time.Millisecond}, body: func(b []byte) bool { return bytes.Equal(b, good) }},
			{name: "no content", fault: mockidp.Fault{Status: 204}, status: 204, body: func(b []byte) bool { return len(b) == 0 }},
		}
		c := idp.Client()
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for _, row := range rows {
			remove := idp.Inject(row.fault)
			resp, body, err := get(t.Context(), c, commonKeys)
			remove()
			if resp == nil || !errors.Is(err, row.err) || (err == nil) != (row.err == nil) {
				t.Errorf("%s: got=%v, want=%v", row.name, err, row.err)
				continue
			}
			if row.status == 0 {
				row.status = 200
			}
			if resp.StatusCode != row.status || row.header != resp.Header.Get("Retry-After") || row.body != nil && !row.body(body) {
				t.Errorf("%s: got=%s %v and %d bytes", row.name, resp.Status, resp.Header, len(body))
			}
			if row.fault.Redirect != "" && resp.Header.Get("Location") != row.fault.Redirect {
				t.Errorf("%s: got=%v", row.name, resp.Header)
			}
			if row.name == "status" && resp.Header.Get("Cache-Control") != "" {
				t.Errorf("%s: the header is not removed", row.name)
			}
		}
		defer idp.Inject(mockidp.Fault{Reset: true})()
		if _, _, err := get(t.Context(), c, commonKeys); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reset: got=%v, want=%v", err, syscall.ECONNRESET)
		}
	})
}

// A client that asks for gzip itself gets it packed.
func TestGzipAskedFor(t *testing.T) {
	both(t, func(t *testing.T, idp *mockidp.Server) {
		idp.Inject(mockidp.Fault{Gzip: true})
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, commonKeys, nil)
		req.Header.Set("Accept-Encoding", "gzip")
		resp, err := idp.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		gz, err := gzip.NewReader(resp.Body)
		if err != nil || resp.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("got=%v %v", err, resp.Header)
		}
		if b, err := io.ReadAll(gz); err != nil || !json.Valid(b) {
			t.Errorf("got=%v", err)
		}
	})
}

func TestGzipNotGzip(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	idp.Inject(mockidp.Fault{Gzip: true, Truncate: true, Body: []byte{}})
	if _, _, err := get(t.Context(), idp.Client(), commonKeys); err == nil {
		t.Error("half a gzip header is no gzip")
	}
}

func TestFaultScopes(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	const contoso, shop = "https://login.microsoftonline.com/" + mockidp.Contoso, "https://contosob2c.b2clogin.com/" + mockidp.Shop
	urls := []string{
		commonV2, commonKeys, contoso + discoveryPath, contoso + "/discovery/v2.0/keys", "https://login.windows.net/contoso.onmicrosoft.com" + discoveryPath,
		shop + "/b2c_1_susi" + discoveryPath, shop + "/b2c_1a_custom" + discoveryPath, shop + "/discovery/v2.0/keys?p=b2c_1_susi", "https://localhost:1/common" + discoveryPath,
		"https://login.microsoftonline.com/common/nothing",
	}
	for name, row := range map[string]struct {
		fault mockidp.Fault
		hit   string // one letter per URL
	}{
		"all":            {mockidp.Fault{}, "xxxxxxxxxx"},
		"discovery":      {mockidp.Fault{Endpoint: mockidp.Discovery}, "x-x-xxx-x-"},
		"keys":           {mockidp.Fault{Endpoint: mockidp.JWKS}, "-x-x---x--"},
		"other":          {mockidp.Fault{Endpoint: mockidp.OtherEndpoint}, "---------x"},
		"tenant":         {mockidp.Fault{Tenant: strings.ToUpper(mockidp.Contoso)}, "--xxx-----"},
		"domain":         {mockidp.Fault{Tenant: "Contoso.onmicrosoft.com"}, "----x-----"},
		"common":         {mockidp.Fault{Tenant: "common"}, "xx------xx"},
		"policy":         {mockidp.Fault{Policy: "B2C_1_susi"}, "-----x-x--"},
		"host":           {mockidp.Fault{Host: "login.WINDOWS.net"}, "----x-----"},
		"host with port": {mockidp.Fault{Host: "localhost:1"}, "--------x-"},
		"combined":       {mockidp.Fault{Endpoint: mockidp.Discovery, Tenant: mockidp.Shop, Policy: "b2c_1_susi"}, "-----x----"},
	} {
		row.fault.Status = 599
		remove := idp.Inject(row.fault)
		hit := ""
		for _, url := range urls {
			status, _ := fetch(t, idp.Client(), url)
			hit += map[bool]string{true: "x", false: "-"}[status == 599]
		}
		if hit != row.hit {
			t.Errorf("%s: got=%s, want=%s", name, hit, row.hit)
		}
		remove()
		remove()
	}
}

func TestFaultOrderAndCount(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	body := []byte("first")
	idp.Inject(mockidp.Fault{Times: 2, Status: 500, Body: body})
	body[0] = 'x'
	remove := idp.Inject(mockidp.Fault{Status: 429})
	var got []int
	for range 4 {
		status, answer := fetch(t, idp.Client(), commonV2)
		if status == 500 && string(answer) != "first" {
			t.Errorf("the fault is not a copy: %s", answer)
		}
		got = append(got, status)
	}
	remove()
	status, _ := fetch(t, idp.Client(), commonV2)
	if got = append(got, status); got[0] != 500 || got[1] != 500 || got[2] != 429 || got[3] != 429 || got[4] != 200 {
		t.Errorf("got=%v, want=[500 500 429 429 200]", got)
	}
}

// Delays take fake time in a bubble, and end with the request.
func TestDelayInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := mockidp.New()
		idp.Inject(mockidp.Fault{Times: 1, Delay: time.Hour})
		start := time.Now()
		if _, _, err := get(t.Context(), idp.Client(), commonV2); err != nil || time.Since(start) != time.Hour {
			t.Errorf("got=%v after %v, want=an hour", err, time.Since(start))
		}
		if at := idp.Requests()[0].Time; !at.Equal(start) {
			t.Errorf("recorded at %v, want=%v: before the delay", at, start)
		}
		for name, fault := range map[string]mockidp.Fault{"delay": {Delay: time.Hour}, "silence": {Silence: true}, "drip": {Drip: time.Minute}} {
			remove := idp.Inject(fault)
			start := time.Now()
			c := idp.Client()
			c.Timeout = 90 * time.Second
			if _, _, err := get(t.Context(), c, commonV2); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 90*time.Second {
				t.Errorf("%s: got=%v after %v, want=%v after 90 s", name, err, time.Since(start), context.DeadlineExceeded)
			}
			remove()
		}
		// The clock of tokens is the bubble's too.
		if got := claimsOf(t, idp.Tenant(mockidp.Contoso).Token())["iat"]; got != float64(time.Now().Unix()) {
			t.Errorf("iat: got=%v, want=%v", got, time.Now().Unix())
		}
		idp.Inject(mockidp.Fault{Drip: time.Second, Body: []byte("{}")})
		start = time.Now()
		if _, body, err := get(t.Context(), idp.Client(), commonV2); err != nil || string(body) != "{}" || time.Since(start) < 2*time.Second {
			t.Errorf("got=%s %v after %v", body, err, time.Since(start))
		}
	})
}

func TestCancelled(t *testing.T) {
	both(t, func(t *testing.T, idp *mockidp.Server) {
		arrived := make(chan struct{})
		idp.Inject(mockidp.Fault{Silence: true, Edit: func(b []byte) []byte {
			close(arrived)
			return b
		}})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-arrived
			cancel()
		}()
		if _, _, err := get(ctx, idp.Client(), commonV2); !errors.Is(err, context.Canceled) {
			t.Errorf("got=%v, want=%v", err, context.Canceled)
		}
		// Cancelled before it began: nothing arrives.
		n := idp.Count(mockidp.AnyEndpoint)
		if _, _, err := get(ctx, idp.Client(), commonV2); !errors.Is(err, context.Canceled) || idp.Count(mockidp.AnyEndpoint) != n {
			t.Errorf("got=%v, want=%v", err, context.Canceled)
		}
	})
}

// In memory a body behaves as one from a socket.
func TestMemoryBody(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, commonV2, nil)
	resp, err := idp.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	if n, err := resp.Body.Read(one); n != 1 || err != nil || one[0] != '{' {
		t.Errorf("got=%q %v", one[:n], err)
	}
	if n, err := resp.Body.Read(nil); n != 0 || err != nil {
		t.Errorf("got=%d %v", n, err)
	}
	cancel()
	if _, err := resp.Body.Read(one); !errors.Is(err, context.Canceled) {
		t.Errorf("got=%v, want=%v", err, context.Canceled)
	}
	resp.Body.Close()
	if _, err := resp.Body.Read(one); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("read after close: got=%v", err)
	}
	idp.Inject(mockidp.Fault{Drip: time.Nanosecond})
	resp, err = idp.Client().Get(commonV2)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := resp.Body.Read(nil); n != 0 || err != nil {
		t.Errorf("dripping into nothing: got=%d %v", n, err)
	}
}

// Behind a writer that has no connection to break, the handler panics as net/http expects.
func TestAbortWithoutConnection(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]mockidp.Fault{"reset": {Reset: true}, "truncate": {Truncate: true}} {
		idp := mockidp.New()
		idp.Inject(fault)
		func() {
			defer func() {
				if r := recover(); r != http.ErrAbortHandler {
					t.Errorf("%s: got=%v, want=%v", name, r, http.ErrAbortHandler)
				}
			}()
			idp.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", commonV2, nil))
		}()
	}
}
