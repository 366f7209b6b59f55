package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// claim puts another tenant into the answer to the consent, which anybody can: the sign-in comes out as it must.
func (s *story) claim(ctx context.Context) (string, error) {
	v, err := s.w.newVisitor()
	if err != nil {
		return "", err
	}
	page, err := v.begin(ctx, "Contoso, allegedly")
	if err != nil {
		return "", err
	}
	answer, err := v.atMicrosoft(page, contoso.admin)
	if err != nil {
		return "", err
	}
	to, _, err := v.open(ctx, strings.Replace(answer, contoso.tenant, fabrikam.tenant, 1))
	if err != nil || !strings.Contains(to, fabrikam.tenant) {
		return "", errors.Join(err, fmt.Errorf("the sign-in is at %q", to))
	}
	if answer, err = v.atMicrosoft(strings.Replace(to, fabrikam.tenant, contoso.tenant, 1), contoso.admin); err != nil {
		return "", err
	}
	home, got, err := v.open(ctx, answer)
	if err != nil || home != "" || got.Status != http.StatusBadRequest {
		return "", errors.Join(err, fmt.Errorf("got %d, sent to %q", got.Status, home))
	}
	rows, err := s.w.replicas[0].store.Get(ctx, fabrikam.tenant)
	if err != nil || len(rows) != 1 || rows[0].Tenant.Name != fabrikam.name {
		return "", errors.Join(err, fmt.Errorf("the tenant is now %v", rows))
	}
	return "400: a sign-in at Contoso proves nothing about Fabrikam", nil
}

// skip makes up the answer to the consent, to get to the sign-in, which a member can do.
func (s *story) skip(ctx context.Context) (string, error) {
	v, err := s.w.newVisitor()
	if err != nil {
		return "", err
	}
	page, err := v.begin(ctx, "Fabrikam, allegedly")
	if err != nil {
		return "", err
	}
	u, err := url.Parse(page)
	if err != nil {
		return "", err
	}
	made := url.Values{"admin_consent": {"True"}, "tenant": {fabrikam.tenant}, "state": {u.Query().Get("state")}}
	to, _, err := v.open(ctx, s.w.url+"/consented?"+made.Encode())
	if err != nil {
		return "", err
	}
	answer, err := v.atMicrosoft(to, fabrikam.member)
	if err != nil {
		return "", err
	}
	home, got, err := v.open(ctx, answer)
	if err != nil || home != "" || got.Status != http.StatusForbidden || !strings.Contains(got.Body, "not an administrator") {
		return "", errors.Join(err, fmt.Errorf("got %d, sent to %q", got.Status, home))
	}
	return "403: the token says that this is no administrator", nil
}

func (s *story) replay(ctx context.Context) (string, error) {
	v, err := s.w.newVisitor()
	if err != nil {
		return "", err
	}
	_, answer, err := v.toSignIn(ctx, contoso.name, contoso.admin)
	if err != nil {
		return "", err
	}
	for range s.w.replicas {
		to, got, err := v.open(ctx, answer)
		if err != nil || to != "" || got.Status != http.StatusBadRequest {
			return "", errors.Join(err, fmt.Errorf("got %d, sent to %q", got.Status, to))
		}
	}
	return "400, at either replica", nil
}
