package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/echo-identity/identity/mockidp"
)

// demo plays the clients of the API, which would be applications of their own: it signs people in, and calls the API with their tokens.
// It is no part of the service: it even shows the browser a token, to call again with the same one.
type demo struct{ w *world }

func (d *demo) register(mux *http.ServeMux) {
	same := http.NewCrossOriginProtection()
	mux.HandleFunc("GET /demo", func(w http.ResponseWriter, r *http.Request) { d.show(w, http.StatusOK, demoPage{}) })
	mux.Handle("POST /demo", same.Handler(http.HandlerFunc(d.call)))
}

// demoPage is what a call came to.
type demoPage struct {
	Customers []demoCustomer
	Login     string
	Token     string
	Problem   string // no token: why
	Answers   []reply
}

type demoCustomer struct{ Name, Login string }

// reply is what one replica said.
type reply struct {
	Replica string
	Status  int
	Body    string
}

// call signs somebody in, or takes the token from last time, and calls every replica with it.
func (d *demo) call(w http.ResponseWriter, r *http.Request) {
	page := demoPage{Login: r.PostFormValue("login"), Token: r.PostFormValue("token")}
	if page.Token == "" {
		token, err := d.token(page.Login)
		if err != nil {
			page.Problem = err.Error()
		}
		page.Token = token
	}
	if page.Token != "" {
		answers, err := d.askEach(r, page.Token)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		page.Answers = answers
	}
	d.show(w, http.StatusOK, page)
}

// askEach calls the API through the proxy until each replica has answered once.
func (d *demo) askEach(r *http.Request, token string) ([]reply, error) {
	var answers []reply
	for range 20 {
		got, err := get(r.Context(), d.w.url+"/api/orders", token)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(answers, func(a reply) bool { return a.Replica == got.Replica }) {
			answers = append(answers, got)
		}
		if len(answers) == len(d.w.replicas) {
			slices.SortFunc(answers, func(a, b reply) int { return strings.Compare(a.Replica, b.Replica) })
			return answers, nil
		}
	}
	return nil, errors.New("not every replica answers")
}

// token is what the client of a user gets from Microsoft; an error, while the user's administrator has not consented.
func (d *demo) token(login string) (string, error) {
	for _, c := range customers {
		if login == c.admin || login == c.member {
			tokens, err := d.w.idp.Tenant(c.tenant).SignIn(mockidp.SignIn{
				Client: serviceID, Login: login, Scopes: []string{ordersScope}, Origin: d.w.idp.URL,
			})
			return tokens.AccessToken, err
		}
	}
	return "", fmt.Errorf("there is no %q here", login)
}

func (d *demo) show(w http.ResponseWriter, status int, page demoPage) {
	for _, c := range customers {
		page.Customers = append(page.Customers, demoCustomer{c.name, c.member})
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := pages.ExecuteTemplate(w, "demo.html", page); err != nil {
		panic(http.ErrAbortHandler) // the browser has gone
	}
}

// Short is an answer in one line, for people.
func (r reply) Short() string {
	var body struct {
		Tenant string `json:"tenant"`
		Orders []struct {
			Item string `json:"item"`
		} `json:"orders"`
		Message string `json:"message"`
	}
	if json.Unmarshal([]byte(r.Body), &body) != nil {
		return strings.TrimSpace(r.Body)
	}
	if r.Status != http.StatusOK {
		return body.Message
	}
	items := make([]string, len(body.Orders))
	for i, o := range body.Orders {
		items[i] = o.Item
	}
	return body.Tenant + ": " + strings.Join(items, ", ")
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

func readReply(resp *http.Response) (reply, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return reply{resp.Header.Get("X-Replica"), resp.StatusCode, string(body)}, err
}
