package main

import (
	"net/http"
	"sync"

	"github.com/echo-identity/identity"
	"github.com/labstack/echo/v4"
)

// orders implements the generated ServerInterface. Nothing in it asks who may call: whoever gets here may.
type orders struct {
	mu       sync.Mutex
	byTenant map[string][]Order
}

// ListOrders answers with the orders of the caller's tenant.
func (o *orders) ListOrders(c echo.Context) error {
	p, _ := identity.From(c)
	o.mu.Lock()
	defer o.mu.Unlock()
	return c.JSON(http.StatusOK, append([]Order{}, o.byTenant[p.TenantID]...))
}

// AddOrder keeps an order. The validator has read the body before, and refused one that is not as the document says.
func (o *orders) AddOrder(c echo.Context) error {
	var body NewOrder
	if err := c.Bind(&body); err != nil {
		return err
	}
	p, _ := identity.From(c)
	o.mu.Lock()
	defer o.mu.Unlock()
	order := Order{Number: len(o.byTenant[p.TenantID]) + 1, Item: body.Item, Company: p.Tenant().Name}
	o.byTenant[p.TenantID] = append(o.byTenant[p.TenantID], order)
	return c.JSON(http.StatusCreated, order)
}

// CloseOrders removes them.
func (o *orders) CloseOrders(c echo.Context) error {
	p, _ := identity.From(c)
	o.mu.Lock()
	defer o.mu.Unlock()
	closed := Closed{Count: len(o.byTenant[p.TenantID])}
	delete(o.byTenant, p.TenantID)
	return c.JSON(http.StatusOK, closed)
}
