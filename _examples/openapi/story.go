package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/echo-identity/identity/mockidp"
)

// row is a request of the story, and the answer that it must get.
type row struct {
	who, request, token, body string
	status                    int
	challenge                 string // that it holds; empty: there must be none
	answer                    string // that the body holds
}

// tokens are those of the story.
type tokens struct{ reader, writer, job, stranger string }

func (w *world) tokens(ctx context.Context) (t tokens, err error) {
	c, err := w.newClient(ctx)
	if err != nil {
		return t, err
	}
	if t.reader, err = c.signIn(ctx, "Orders.Read"); err != nil {
		return t, fmt.Errorf("signing in: %w", err)
	}
	if t.writer, err = c.signIn(ctx, "Orders.Read", "Orders.Write"); err != nil {
		return t, fmt.Errorf("signing in: %w", err)
	}
	if t.job, err = c.job(ctx); err != nil {
		return t, fmt.Errorf("the job: %w", err)
	}
	t.stranger = w.idp.Tenant(mockidp.Fabrikam).Token(mockidp.Scopes("Orders.Read"), mockidp.IssuedBy(w.idp.URL))
	return t, nil
}

func (t tokens) rows() []row {
	const paper, nothing = `{"item": "paper"}`, `{"item": ""}`
	return []row{
		{"nobody", "GET /orders", "", "", 401, "Bearer", ""},
		{"another tenant", "GET /orders", t.stranger, "", 401, `error="invalid_token"`, "invalid_token"},
		{"Jo, Orders.Read", "GET /orders", t.reader, "", 200, "", "[]"},
		{"Jo, Orders.Read", "POST /orders", t.reader, paper, 403, `scope="Orders.Write"`, "insufficient_scope"},
		{"Jo, both scopes", "POST /orders", t.writer, paper, 201, "", `"company":"contoso"`},
		{"Jo, both scopes", "POST /orders", t.writer, nothing, 400, "", "item"},
		{"nobody", "POST /orders", "", nothing, 401, "Bearer", ""},
		{"Jo, Orders.Read", "GET /orders", t.reader, "", 200, "", `"item":"paper"`},
		{"Jo, both scopes", "POST /orders/close", t.writer, "", 403, "", ""}, // an app role is nothing that a user could ask for
		{"the job", "GET /orders", t.job, "", 403, `scope="Orders.Read"`, "insufficient_scope"},
		{"the job", "POST /orders/close", t.job, "", 200, "", `{"count":1}`},
		{"nobody", "GET " + docsPath, "", "", 200, "", "swagger-ui-bundle.js"},
		{"nobody", "GET " + redirectPath, "", "", 200, "", "oauth2-redirect.js"},
		{"nobody", "GET " + docsPath + "oauth2-redirect.js", "", "", 200, "", "swaggerUIRedirectOauth2"},
		{"nobody", "GET /elsewhere", "", "", 404, "", ""},
	}
}

// wrong reports whether the answer is another than the row has.
func (r row) wrong(got answer) bool {
	return got.status != r.status || !strings.Contains(got.body, r.answer) ||
		!strings.Contains(got.challenge, r.challenge) || (got.challenge == "") != (r.challenge == "")
}

// show makes the requests and prints what comes of them.
func (w *world) show(ctx context.Context, out io.Writer) error {
	t, err := w.tokens(ctx)
	if err != nil {
		return err
	}
	rows, wrong := t.rows(), 0
	for _, r := range rows {
		method, path, _ := strings.Cut(r.request, " ")
		got, err := send(ctx, method, w.url+path, r.token, r.body)
		if err != nil {
			return err
		}
		note := ""
		if r.wrong(got) {
			note = fmt.Sprintf("  WRONG, want %d %s %s", r.status, r.challenge, r.answer)
			wrong++
		}
		fmt.Fprintf(out, "%-16s %-30s %d%s\n", r.who, r.request, got.status, note)
		if got.challenge != "" {
			fmt.Fprintf(out, "    %s\n", foldChallenge.Replace(got.challenge))
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d wrong answers", wrong)
	}
	fmt.Fprintf(out, "%d requests, every answer as expected\n", len(rows))
	return nil
}

// foldChallenge makes lines that fit a terminal.
var foldChallenge = strings.NewReplacer(", error_description=", ",\n      error_description=", ", scope=", ",\n      scope=")
