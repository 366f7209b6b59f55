package adminconsent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/echo-identity/identity"
)

// Code is an authorization code and what belongs to its redemption (RFC 6749 §4.1.3, RFC 7636 §4.5).
type Code struct {
	Value       string
	Verifier    string // code_verifier
	RedirectURI string
	Scope       string
	ClientID    string
	TenantID    string // where it has to be redeemed, and nowhere else
	TokenURL    string // the token endpoint of that tenant
}

// prove redeems the code and judges the token. Nothing that the browser said decides here, only what Microsoft signed.
func (f *Flow) prove(ctx context.Context, tenant, code, verifier string) (*identity.Principal, error) {
	raw, err := f.redeem(ctx, Code{
		Value: code, Verifier: verifier, RedirectURI: f.cfg.SignInURI, Scope: f.cfg.Scope, ClientID: f.cfg.ClientID, TenantID: tenant,
		TokenURL: f.authority(tenant) + "/token",
	})
	switch {
	case errors.Is(err, ErrProof) || errors.Is(err, ErrUnavailable):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: redeem: %w", ErrUnavailable, err)
	}
	v, err := f.verifier(tenant, slog.New(slog.DiscardHandler)) // all of it is in the error
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err) // not reached: New has tried it
	}
	p, err := v.Verify(ctx, raw)
	if refusal, ok := errors.AsType[*identity.Error](err); ok && refusal.StatusCode() >= 500 {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	case p.TenantID != tenant: // not reached: the verifier trusts no other
		return nil, fmt.Errorf("%w: the token is of %s", ErrProof, p.TenantID)
	case p.AppOnly() || len(p.Scopes) == 0 || p.ObjectID == "":
		return nil, fmt.Errorf("%w: the token is of no user", ErrProof)
	case !f.cfg.InsecureAnyMember && !holdsOne(p, f.cfg.Roles):
		return nil, ErrNotAdmin
	}
	return p, nil
}

// holdsOne looks for directory roles in wids. Every member has some there: it is not enough that there is one.
func holdsOne(p *identity.Principal, roles []string) bool {
	wids, _ := p.Claim("wids").([]any)
	return slices.ContainsFunc(wids, func(wid any) bool {
		id, _ := wid.(string)
		return slices.Contains(roles, strings.ToLower(id))
	})
}

const (
	redeemTimeout = 10 * time.Second
	maxBody       = 1 << 20
)

// redeemWithSecret is Redeem for a client secret (RFC 6749 §2.3.1, in the body, as Microsoft documents it).
func (f *Flow) redeemWithSecret(ctx context.Context, c Code) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, redeemTimeout)
	defer cancel()
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {c.ClientID}, "client_secret": {f.cfg.ClientSecret}, "code": {c.Value},
		"redirect_uri": {c.RedirectURI}, "code_verifier": {c.Verifier}, "scope": {c.Scope},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := f.cfg.HTTPClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return "", err
	}
	var got struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if len(body) > maxBody || json.Unmarshal(body, &got) != nil {
		return "", fmt.Errorf("token endpoint: status %d, and no JSON", resp.StatusCode)
	}
	switch {
	case resp.StatusCode == http.StatusOK && got.AccessToken != "":
		return got.AccessToken, nil
	case resp.StatusCode == http.StatusBadRequest && got.Error != "":
		return "", fmt.Errorf("%w: token endpoint: %s: %s", ErrProof, printable(got.Error), printable(got.Description))
	}
	return "", fmt.Errorf("token endpoint: status %d: %s: %s", resp.StatusCode, printable(got.Error), printable(got.Description))
}
