package main

import (
	"net/http"

	"github.com/echo-identity/identity"
	"github.com/labstack/echo/v4"
)

// listOrders answers with the rows of the caller's tenant.
func (r *replica) listOrders(c echo.Context) error {
	p, _ := identity.From(c)
	list, err := r.orders.list(c.Request().Context(), p.TenantID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"replica": r.name, "tenant": p.Tenant().Name, "orders": list})
}

func (r *replica) addOrder(c echo.Context) error {
	p, _ := identity.From(c)
	var body struct {
		Item string `json:"item"`
	}
	if err := c.Bind(&body); err != nil {
		return err
	}
	if body.Item == "" || len(body.Item) > 200 {
		return echo.NewHTTPError(http.StatusBadRequest, "item has to have 1 to 200 bytes")
	}
	// Who it was is the user's key, never the name: names change, and two people can have the same.
	if err := r.orders.add(c.Request().Context(), p.TenantID, body.Item, p.UserKey()); err != nil {
		return err
	}
	return c.NoContent(http.StatusCreated)
}
