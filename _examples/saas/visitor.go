package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// visitor is an administrator with a browser.
type visitor struct {
	w        *world
	client   *http.Client
	replicas []string // that have answered
}

func (w *world) newVisitor() (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &visitor{w: w, client: &http.Client{
		Jar:           secureOnLoopback{jar},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// secureOnLoopback sends Secure cookies to loopback, as browsers do.
type secureOnLoopback struct{ http.CookieJar }

func (j secureOnLoopback) Cookies(u *url.URL) []*http.Cookie { return j.CookieJar.Cookies(asHTTPS(u)) }

func (j secureOnLoopback) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.CookieJar.SetCookies(asHTTPS(u), cookies)
}

func asHTTPS(u *url.URL) *url.URL {
	secure := *u
	secure.Scheme = "https"
	return &secure
}

// send gives the address of where the browser is sent, or the page that it is shown.
func (v *visitor) send(req *http.Request) (to string, page reply, err error) {
	resp, err := v.client.Do(req)
	if err != nil {
		return "", reply{}, err
	}
	page, err = readReply(resp)
	v.replicas = append(v.replicas, page.Replica)
	return resp.Header.Get("Location"), page, err
}

func (v *visitor) open(ctx context.Context, address string) (to string, page reply, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", reply{}, err
	}
	return v.send(req)
}

// begin fills in the form.
func (v *visitor) begin(ctx context.Context, company string) (to string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.w.url+"/connect", strings.NewReader(url.Values{"company": {company}}.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	to, page, err := v.send(req)
	if err == nil && to == "" {
		err = fmt.Errorf("begin: %d", page.Status)
	}
	return to, err
}

// atMicrosoft does what a page asks for, and gives the address of the answer.
func (v *visitor) atMicrosoft(address, login string) (string, error) {
	r, err := v.w.idp.Walk(address, login)
	if err != nil {
		return "", err
	}
	return r.URL.String(), nil
}

// toSignIn goes through the consent.
func (v *visitor) toSignIn(ctx context.Context, company, login string) (to, answer string, err error) {
	page, err := v.begin(ctx, company)
	if err != nil {
		return "", "", err
	}
	if answer, err = v.atMicrosoft(page, login); err != nil {
		return "", "", err
	}
	to, got, err := v.open(ctx, answer)
	if err == nil && to == "" {
		err = fmt.Errorf("consented: %d %s", got.Status, got.Replica)
	}
	return to, answer, err
}
