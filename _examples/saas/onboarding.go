package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/adminconsent"
	"github.com/labstack/echo/v4"
)

// sessionCookie names who is signing up. Where the service has accounts, it is their session.
const sessionCookie = "__Host-signup"

func (r *replica) session(c echo.Context) string {
	if cookie, err := c.Cookie(sessionCookie); err == nil {
		return cookie.Value
	}
	return ""
}

// connect begins: it remembers who is about to connect, and sends the browser to Microsoft.
func (r *replica) connect(c echo.Context) error {
	company := strings.TrimSpace(c.FormValue("company"))
	if company == "" || len(company) > 100 {
		return r.refuse(c, http.StatusBadRequest, "The company needs a name.", nil)
	}
	id := rand.Text()
	if err := r.signups.add(c.Request().Context(), id, company); err != nil {
		return r.refuse(c, http.StatusServiceUnavailable, "Something is down here. Please try again later.", err)
	}
	c.SetCookie(&http.Cookie{Name: sessionCookie, Value: id, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	if err := r.flow.Begin(c.Response(), c.Request(), adminconsent.Start{For: id}); err != nil {
		return r.refuse(c, http.StatusInternalServerError, "Something went wrong here.", err)
	}
	return nil
}

// consented is where Microsoft answers the consent. Nothing is believed yet: the browser is sent to sign in.
func (r *replica) consented(c echo.Context) error {
	if err := r.flow.Continue(c.Response(), c.Request(), r.session(c)); err != nil {
		return r.refuseAnswer(c, err)
	}
	return nil
}

// signedIn is where Microsoft answers the sign-in, which proves the tenant. From here on it is served, by every replica.
func (r *replica) signedIn(c echo.Context) error {
	ctx := c.Request().Context()
	grant, err := r.flow.Finish(c.Response(), c.Request(), r.session(c))
	if err != nil {
		return r.refuseAnswer(c, err)
	}
	company, err := r.signups.company(ctx, grant.For)
	if err != nil {
		return r.refuse(c, http.StatusServiceUnavailable, "Something is down here. Please try again later.", err)
	}
	if err := r.register(ctx, grant, company); err != nil {
		return r.refuse(c, http.StatusServiceUnavailable, "Something is down here. Please try again later.", err)
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

// register lets the tenant in. One that is connected already stays whose it is; here, an administrator of it may give it another name.
func (r *replica) register(ctx context.Context, grant *adminconsent.Grant, company string) error {
	tenant := identity.Tenant{ID: grant.TenantID, Name: company, Cloud: r.cloud}
	if err := r.store.Upsert(ctx, grant.Admin.UserKey(), tenant); err != nil {
		return err
	}
	if err := r.orders.add(ctx, grant.TenantID, "Welcome parcel for "+company, "the service"); err != nil {
		return err
	}
	return r.store.Sync(ctx) // whoever comes next to this replica finds it
}

// refuseAnswer tells people what they can do about it, and the log what it was.
func (r *replica) refuseAnswer(c echo.Context, err error) error {
	switch {
	case errors.Is(err, adminconsent.ErrUnavailable):
		return r.refuse(c, http.StatusServiceUnavailable, "Microsoft cannot be reached just now. Please start again in a while.", err)
	case errors.Is(err, adminconsent.ErrDenied):
		return r.refuse(c, http.StatusForbidden, "Consent was not given. An administrator of your organization has to give it.", err)
	case errors.Is(err, adminconsent.ErrNotAdmin):
		return r.refuse(c, http.StatusForbidden, "You are not an administrator of your organization. Ask one to connect it.", err)
	case errors.Is(err, adminconsent.ErrExpired), errors.Is(err, adminconsent.ErrReplayed):
		return r.refuse(c, http.StatusBadRequest, "This took too long, or was done already. Please start again.", err)
	}
	return r.refuse(c, http.StatusBadRequest, "This answer does not belong to what was begun in this browser. Please start again.", err)
}
