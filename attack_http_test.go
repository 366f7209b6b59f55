package identity_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
)

// smuggled is a request as its bytes, sent over a socket: what net/http makes of them is part of the defence. TOKEN stands for a good
// token. Without want and server it is accepted.
type smuggled struct {
	name, source string
	lookup       string // Config.TokenLookup
	head         string // header fields, each with its line break
	body         string
	line         string // default "GET / HTTP/1.1"
	want         error
	server       int // the status of net/http itself, which lets nothing of it through to us
}

const auth = "Authorization: Bearer TOKEN\r\n"

const fieldRules = "RFC 9110 §5.2, §5.3: a field that is no list occurs once"

// plainRequests are the neighbours of what is smuggled.
var plainRequests = []smuggled{
	{name: "plain", head: auth},
	{name: "name and scheme in lower case", head: "authorization: bearer TOKEN\r\n"},
	{name: "name and scheme in upper case", head: "AUTHORIZATION: BEARER TOKEN\r\n"},
	{name: "no blank behind the colon", head: "Authorization:Bearer TOKEN\r\n"},
	{name: "blanks and tabs around the value", head: "Authorization: \t Bearer   TOKEN \t\r\n"},
	{name: "folded between scheme and token", head: "Authorization: Bearer\r\n TOKEN\r\n"}, // RFC 9112 §5.2 allows a server to read a blank
	{name: "HTTP/1.0", line: "GET / HTTP/1.0", head: auth},
	{name: "another query parameter", line: "GET /?access_token=x HTTP/1.1", head: auth},
	{name: "query, opted in", lookup: "header,query", line: "GET /?access_token=TOKEN HTTP/1.1"},
	{name: "form, opted in", lookup: "header,form", line: "POST / HTTP/1.1", head: formHead, body: "access_token=TOKEN"},
}

const formHead = "Content-Type: application/x-www-form-urlencoded\r\n"

var smuggling = append(misplaced(), []smuggled{
	{name: "two fields, the good one first", source: fieldRules, head: auth + "Authorization: Bearer x.y.z\r\n", want: identity.ErrRequestInvalid},
	{name: "two fields, the good one last", source: fieldRules, head: "Authorization: Bearer x.y.z\r\n" + auth, want: identity.ErrRequestInvalid},
	{name: "two fields in two cases", source: fieldRules, head: auth + "aUTHORIZATION: Bearer x.y.z\r\n", want: identity.ErrRequestInvalid},
	{name: "two fields with the same token", source: fieldRules, head: auth + auth, want: identity.ErrRequestInvalid},
	{name: "an empty field before the good one", source: fieldRules, head: "Authorization:\r\n" + auth, want: identity.ErrRequestInvalid},
	{name: "an empty field behind the good one", source: fieldRules, head: auth + "Authorization: \r\n", want: identity.ErrRequestInvalid},
	{name: "basic credentials before the good field", source: fieldRules, head: "Authorization: Basic eDp4\r\n" + auth, want: identity.ErrRequestInvalid},
	{name: "fields with others between them", source: fieldRules, head: auth + "X-A: 1\r\nX-B: 2\r\nauthorization: bearer TOKEN\r\n", want: identity.ErrRequestInvalid},
	{name: "5,000 fields", source: "RFC 9110 §5.4", head: strings.Repeat("Authorization: Bearer x.y.z\r\n", 5_000) + auth, want: identity.ErrRequestInvalid},

	{name: "two tokens, comma and blank between", source: "RFC 9110 §5.3: how a proxy joins two fields", head: "Authorization: Bearer TOKEN, Bearer TOKEN\r\n", want: identity.ErrRequestInvalid},
	{name: "two tokens, comma between", source: "RFC 9110 §5.3", head: "Authorization: Bearer TOKEN,TOKEN\r\n", want: identity.ErrTokenEncrypted},
	{name: "a comma behind the token", source: "RFC 9110 §5.3", head: "Authorization: Bearer TOKEN,\r\n", want: identity.ErrTokenMalformed},
	{name: "a comma before the token", source: "RFC 9110 §5.3", head: "Authorization: Bearer ,TOKEN\r\n", want: identity.ErrTokenMalformed},
	{name: "basic credentials and a token in one field", source: "RFC 9110 §11.6.2", head: "Authorization: Basic eDp4, Bearer TOKEN\r\n", want: identity.ErrTokenMissing},
	{name: "a semicolon and more behind the token", source: "RFC 6750 §2.1", head: "Authorization: Bearer TOKEN;x\r\n", want: identity.ErrTokenMalformed},
	{name: "a word behind the token", source: "RFC 6750 §2.1", head: "Authorization: Bearer TOKEN x\r\n", want: identity.ErrRequestInvalid},
	{name: "the scheme twice", source: "RFC 6750 §2.1", head: "Authorization: Bearer Bearer TOKEN\r\n", want: identity.ErrRequestInvalid},
	{name: "the scheme alone", source: "RFC 6750 §2.1", head: "Authorization: Bearer\r\n", want: identity.ErrRequestInvalid},
	{name: "a realm before the token", source: "RFC 9110 §11.4", head: "Authorization: Bearer realm=\"\", TOKEN\r\n", want: identity.ErrRequestInvalid},
	{name: "the token as a parameter", source: "RFC 9110 §11.4", head: "Authorization: Bearer access_token=TOKEN\r\n", want: identity.ErrTokenMalformed},
	{name: "the token in quotes on the wire", source: "RFC 6750 §2.1", head: "Authorization: Bearer \"TOKEN\"\r\n", want: identity.ErrTokenMalformed},
	{name: "a tab for the blank", source: "RFC 9110 §11.6.2: one or more SP", head: "Authorization: Bearer\tTOKEN\r\n", want: identity.ErrRequestInvalid},
	{name: "a tab behind the blank", source: "RFC 9110 §11.6.2", head: "Authorization: Bearer \tTOKEN\r\n", want: identity.ErrRequestInvalid},
	{name: "a tab and a word behind the token", source: "RFC 6750 §2.1", head: "Authorization: Bearer TOKEN\tx\r\n", want: identity.ErrRequestInvalid},
	{name: "a no-break space for the blank", source: "RFC 9110 §11.6.2", head: "Authorization: Bearer\u00a0TOKEN\r\n", want: identity.ErrTokenMissing},
	{name: "an ideographic space for the blank", source: "RFC 9110 §11.6.2", head: "Authorization: Bearer\u3000TOKEN\r\n", want: identity.ErrTokenMissing},
	{name: "a vertical tab for the blank", source: "RFC 9110 §5.5", head: "Authorization: Bearer\vTOKEN\r\n", server: 400},
	{name: "a NUL behind the token", source: "RFC 9110 §5.5; CWE-158", head: "Authorization: Bearer TOKEN\x00\r\n", server: 400},
	{name: "a NUL for the blank", source: "RFC 9110 §5.5", head: "Authorization: Bearer\x00TOKEN\r\n", server: 400},
	{name: "a DEL behind the token", source: "RFC 9110 §5.5", head: "Authorization: Bearer TOKEN\x7f\r\n", server: 400},
	{name: "a bare CR behind the token", source: "RFC 9112 §2.2", head: "Authorization: Bearer TOKEN\rX: y\r\n", server: 400},
	{name: "a bare CR before the name", source: "RFC 9112 §2.2", head: "\rAuthorization: Bearer TOKEN\r\n", server: 400},
	{name: "bytes beyond ASCII behind the token", source: "RFC 9110 §5.5: obs-text", head: "Authorization: Bearer TOKEN\xff\xfe\r\n", want: identity.ErrTokenMalformed},

	{name: "folded within the token", source: "RFC 9112 §5.2: obs-fold", head: "Authorization: Bearer eyJ\r\n TOKEN\r\n", want: identity.ErrRequestInvalid},
	{name: "folded with another token", source: "RFC 9112 §5.2", head: auth + " TOKEN\r\n", want: identity.ErrRequestInvalid},
	{name: "folded with another field", source: "RFC 9112 §5.2", head: "X-A: 1\r\n Authorization: Bearer TOKEN\r\n", want: identity.ErrTokenMissing},
	{name: "a fold before the first field", source: "RFC 9112 §2.2", head: " Authorization: Bearer TOKEN\r\n", server: 400},
	{name: "a blank before the colon", source: "RFC 9112 §5.1; CVE-2019-16276", head: "Authorization : Bearer TOKEN\r\n", server: 400},
	{name: "a tab before the colon", source: "RFC 9112 §5.1; CVE-2019-16276", head: "Authorization\t: Bearer TOKEN\r\n", server: 400},
	{name: "a NUL in the name", source: "RFC 9110 §5.1", head: "Authorization\x00: Bearer TOKEN\r\n", server: 400},
	{name: "a name beyond ASCII", source: "RFC 9110 §5.1", head: "Authorizatiоn: Bearer TOKEN\r\n", server: 400},
	{name: "no colon", source: "RFC 9112 §5", head: "Authorization Bearer TOKEN\r\n", server: 400},
	{name: "more than 1 MiB of blanks", source: "RFC 9110 §5.4; CWE-400", head: "Authorization: Bearer" + strings.Repeat(" ", 1<<20+8192) + "TOKEN\r\n", server: 431},
	{name: "more than 1 MiB of fields", source: "RFC 9110 §5.4; CWE-400", head: strings.Repeat("X-A: "+strings.Repeat("x", 1000)+"\r\n", 1100) + auth, server: 431},
	{name: "500 KB of token", source: "RFC 9110 §5.4; CWE-400", head: "Authorization: Bearer " + strings.Repeat("x", 500_000) + "\r\n", want: identity.ErrTokenTooLarge},
	{name: "500 KB of dots", source: "CVE-2025-30204", head: "Authorization: Bearer " + strings.Repeat(".", 500_000) + "\r\n", want: identity.ErrTokenTooLarge},
	{name: "500 KB of commas", source: "RFC 9110 §5.3", head: "Authorization: Bearer TOKEN" + strings.Repeat(",", 500_000) + "\r\n", want: identity.ErrTokenTooLarge},

	{name: "another place: Proxy-Authorization", source: "RFC 9110 §11.7.2", head: "Proxy-Authorization: Bearer TOKEN\r\n", want: identity.ErrTokenMissing},
	{name: "another place: X-Forwarded-Authorization", source: "CWE-348", head: "X-Forwarded-Authorization: Bearer TOKEN\r\n", want: identity.ErrTokenMissing},
	{name: "another place: X-MS-TOKEN-AAD-ACCESS-TOKEN", source: "CWE-348; Microsoft: App Service authentication", head: "X-MS-TOKEN-AAD-ACCESS-TOKEN: TOKEN\r\n", want: identity.ErrTokenMissing},
	{name: "another place: X-MS-CLIENT-PRINCIPAL", source: "CWE-348; Microsoft: App Service authentication", head: "X-MS-CLIENT-PRINCIPAL: e30\r\nX-MS-CLIENT-PRINCIPAL-ID: x\r\n", want: identity.ErrTokenMissing},
	{name: "another place: X-Access-Token", source: "CWE-348", head: "X-Access-Token: TOKEN\r\n", want: identity.ErrTokenMissing},
	{name: "another place: a name with an underscore", source: "CWE-348: CGI makes one of both", head: "Authorization_: Bearer TOKEN\r\nHTTP_AUTHORIZATION: Bearer TOKEN\r\n", want: identity.ErrTokenMissing},
	{name: "another place: a cookie", source: "RFC 6750 §2", head: "Cookie: access_token=TOKEN; Authorization=TOKEN\r\n", want: identity.ErrTokenMissing},
	{name: "another place: a subprotocol", source: "RFC 6455 §11.3.4", head: "Sec-WebSocket-Protocol: bearer, TOKEN\r\n", want: identity.ErrTokenMissing},
	{name: "another place: the query", source: "RFC 6750 §2.3", line: "GET /?access_token=TOKEN HTTP/1.1", want: identity.ErrTokenMissing},
	{name: "another place: a form", source: "RFC 6750 §2.2", line: "POST / HTTP/1.1", head: formHead, body: "access_token=TOKEN", want: identity.ErrTokenMissing},
	{name: "another place: the user of the address", source: "RFC 9110 §4.2.4", line: "GET http://x:TOKEN@api.example/ HTTP/1.1", want: identity.ErrTokenMissing},
	{name: "another place: a trailer", source: "RFC 9110 §6.5.1", line: "POST / HTTP/1.1", head: "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n",
		body: "0\r\nAuthorization: Bearer TOKEN\r\n\r\n", want: identity.ErrTokenMissing},

	{name: "other method: OPTIONS without a token", source: "RFC 9110 §9.3.7", line: "OPTIONS / HTTP/1.1", head: "Origin: https://spa.example\r\nAccess-Control-Request-Method: GET\r\n", want: identity.ErrTokenMissing},
	{name: "other method: an override to OPTIONS", source: "CWE-436", head: "X-HTTP-Method-Override: OPTIONS\r\n", want: identity.ErrTokenMissing},
	{name: "other method: a made-up one", source: "RFC 9110 §9.1", line: "REPORT / HTTP/1.1", want: identity.ErrTokenMissing},

	{name: "both places: header and query", source: "RFC 6750 §2: one method per request", lookup: "header,query,form", line: "GET /?access_token=TOKEN HTTP/1.1", head: auth, want: identity.ErrRequestInvalid},
	{name: "both places: header and a bad query", source: "RFC 6750 §2", lookup: "header,query", line: "GET /?access_token=x.y.z HTTP/1.1", head: auth, want: identity.ErrRequestInvalid},
	{name: "both places: header and an escaped query", source: "RFC 6750 §2; RFC 3986 §2.1", lookup: "header,query", line: "GET /?access%5Ftoken=TOKEN HTTP/1.1", head: auth, want: identity.ErrRequestInvalid},
	{name: "both places: header and form", source: "RFC 6750 §2", lookup: "header,form", line: "POST / HTTP/1.1", head: formHead + auth, body: "access_token=TOKEN", want: identity.ErrRequestInvalid},
	{name: "both places: query and form", source: "RFC 6750 §2", lookup: "query,form", line: "POST /?access_token=TOKEN HTTP/1.1", head: formHead, body: "access_token=TOKEN", want: identity.ErrRequestInvalid},
	{name: "both places: the query twice", source: "RFC 6750 §2; CWE-235: parameter pollution", lookup: "query", line: "GET /?access_token=TOKEN&access_token=x.y.z HTTP/1.1", want: identity.ErrRequestInvalid},
	{name: "both places: the form twice", source: "RFC 6750 §2; CWE-235", lookup: "form", line: "POST / HTTP/1.1", head: formHead, body: "access_token=x.y.z&access_token=TOKEN", want: identity.ErrRequestInvalid},
	{name: "the query behind a semicolon", source: "CWE-235; CVE-2021-23336", lookup: "query", line: "GET /?x=1;access_token=TOKEN HTTP/1.1", want: identity.ErrTokenMissing},
	{name: "the query with brackets", source: "CWE-235", lookup: "query", line: "GET /?access_token[]=TOKEN HTTP/1.1", want: identity.ErrTokenMissing},
	{name: "the query in capitals", source: "RFC 6750 §2.3", lookup: "query", line: "GET /?ACCESS_TOKEN=TOKEN HTTP/1.1", want: identity.ErrTokenMissing},
	{name: "the token escaped twice in the query", source: "RFC 3986 §2.4", lookup: "query", line: "GET /?access_token=%2565TOKEN HTTP/1.1", want: identity.ErrTokenMalformed},
	{name: "a line break escaped in the query", source: "RFC 7515 §2", lookup: "query", line: "GET /?access_token=TOKEN%0a HTTP/1.1", want: identity.ErrTokenMalformed},
	{name: "a NUL escaped in the query", source: "CWE-158", lookup: "query", line: "GET /?access_token=TOKEN%00 HTTP/1.1", want: identity.ErrTokenMalformed},
	{name: "a form in the body of a GET", source: "RFC 6750 §2.2", lookup: "form", head: formHead, body: "access_token=TOKEN", want: identity.ErrTokenMissing},
	{name: "a form of another type", source: "RFC 6750 §2.2", lookup: "form", line: "POST / HTTP/1.1", head: "Content-Type: text/plain\r\n", body: "access_token=TOKEN", want: identity.ErrTokenMissing},
	{name: "a form in JSON", source: "RFC 6750 §2.2", lookup: "form", line: "POST / HTTP/1.1", head: "Content-Type: application/json\r\n", body: `{"access_token":"TOKEN"}`, want: identity.ErrTokenMissing},
	{name: "a form with the token in the query", source: "RFC 6750 §2.2", lookup: "form", line: "POST /?access_token=TOKEN HTTP/1.1", head: formHead, body: "x=y", want: identity.ErrTokenMissing},
}...)

// misplaced are tokens behind a scheme that is not ours.
func misplaced() []smuggled {
	rows := []smuggled{{
		name: "the token as a password", source: "RFC 7617 §2", head: "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("x:TOKEN")) + "\r\n", want: identity.ErrTokenMissing,
	}}
	for _, scheme := range []string{
		"Basic", "Token", "JWT", "DPoP", "PoP", "MAC", "OAuth", "Negotiate", "SharedAccessSignature", "Bearers", "BearerX", "Bear", "Bearer:", "Bearer=", "Bearer-", "\"Bearer\"", "Ｂearer", "B\u0435arer", "\ufeffBearer", "=?utf-8?q?Bearer?=",
	} {
		rows = append(rows, smuggled{
			name: "scheme " + scheme, source: "RFC 9110 §11.1; RFC 6750 §2.1", head: "Authorization: " + scheme + " TOKEN\r\n", want: identity.ErrTokenMissing,
		})
	}
	return rows
}

// wire is an API at a socket.
type wire struct {
	*api
	address string
	got     chan *answer // of requests that have reached the API
}

func newWire(t *testing.T, lookup string) *wire {
	t.Helper()
	w := &wire{api: newAPI(t, func(cfg *identity.Config) { cfg.TokenLookup = lookup }), got: make(chan *answer, 1)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		got := &answer{request: r}
		w.e.ServeHTTP(rw, r.WithContext(context.WithValue(r.Context(), answerKey{}, got)))
		w.got <- got
	}))
	server.Start()
	t.Cleanup(server.Close)
	w.address = server.Listener.Addr().String()
	return w
}

// send writes a request and reads the answer; the first result is nil if the request did not reach the API.
func (w *wire) send(t *testing.T, row smuggled) (*answer, *http.Response) {
	t.Helper()
	connection, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fill := strings.NewReplacer("TOKEN", w.token())
	line, body := row.line, fill.Replace(row.body)
	if line == "" {
		line = "GET / HTTP/1.1"
	}
	head := fill.Replace(row.head)
	if body != "" && !strings.Contains(head, "Transfer-Encoding") {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	first := "Host: api.example\r\nConnection: close\r\n"
	if strings.HasPrefix(head, " ") {
		first, head = head, first // the fold before everything else
	}
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(connection, fill.Replace(line)+"\r\n"+first+head+"\r\n"+body)
		written <- err // of no interest where the server has answered before it had read all
	}()
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	text, _ := io.ReadAll(response.Body) // a server that refuses early may reset the connection
	connection.Close()
	<-written
	select {
	case got := <-w.got:
		got.status, got.header, got.body = response.StatusCode, response.Header, string(text)
		return got, response
	default:
		return nil, response
	}
}

// What a client writes decides over who it is in one place alone, and what two readers could read in two ways is refused.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	wires := make(map[string]*wire)
	for _, row := range append(plainRequests, smuggling...) {
		if wires[row.lookup] == nil {
			wires[row.lookup] = newWire(t, row.lookup)
		}
	}
	for _, row := range append(plainRequests, smuggling...) {
		t.Run(row.name, func(t *testing.T) {
			got, response := wires[row.lookup].send(t, row)
			switch {
			case row.server != 0:
				if got != nil || response.StatusCode != row.server {
					t.Fatalf("got=%d reached=%v, want=%d from net/http", response.StatusCode, got != nil, row.server)
				}
			case got == nil:
				t.Fatalf("got=%d from net/http, want it to reach the API", response.StatusCode)
			case row.want == nil:
				got.accepted(t)
			default:
				got.refused(t, row.want)
			}
		})
	}
}
