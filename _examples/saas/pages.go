package main

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/http"

	"github.com/echo-identity/identity/pgtenants"
	"github.com/labstack/echo/v4"
)

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// disconnect cuts a tenant off: both replicas refuse it as soon as they have heard of it.
func (r *replica) disconnect(c echo.Context) error {
	ctx := c.Request().Context()
	err := r.store.Remove(ctx, "operator", c.FormValue("tenant"))
	if err == nil {
		err = r.store.Sync(ctx)
	}
	if err != nil && !errors.Is(err, pgtenants.ErrNotFound) {
		return r.refuse(c, http.StatusServiceUnavailable, "The tenant could not be removed.", err)
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

// home lists the tenants, for the operator, and lets customers connect theirs.
func (r *replica) home(c echo.Context) error {
	var connected []pgtenants.Row
	for row, err := range r.store.All(c.Request().Context()) {
		if err != nil {
			return err
		}
		connected = append(connected, row)
	}
	return r.page(c, http.StatusOK, "home.html", map[string]any{"Tenants": connected, "Replica": r.name})
}

// refuse shows people a page, and tells the log what it was.
func (r *replica) refuse(c echo.Context, status int, text string, cause error) error {
	r.logger.WarnContext(c.Request().Context(), "refused", "replica", r.name, "status", status, "error", cause)
	return r.page(c, status, "refused.html", map[string]any{"Text": text, "Replica": r.name})
}

func (r *replica) page(c echo.Context, status int, name string, data any) error {
	var html bytes.Buffer // so that a template that fails is a 500, and not half a page
	if err := pages.ExecuteTemplate(&html, name, data); err != nil {
		return err
	}
	return c.HTMLBlob(status, html.Bytes())
}

// secureHeaders are for the pages.
func secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		// No form-action: browsers hold the redirect to Microsoft after the form to it.
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		return next(c)
	}
}

// sameOrigin refuses what pages of other sites post in the name of whoever looks at them.
func sameOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		if err := protection.Check(c.Request()); err != nil {
			return echo.NewHTTPError(http.StatusForbidden, "This form belongs to another site.").SetInternal(err)
		}
		return next(c)
	}
}
