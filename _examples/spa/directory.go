package main

import "github.com/echo-identity/identity/mockidp"

// directoryInfo is a place where people sign in.
type directoryInfo struct {
	ID, Name string
	path     string // of the authority that MSAL is given
	login    string // somebody who can sign in there
	policy   string // of B2C
}

var (
	contoso     = directoryInfo{ID: mockidp.Contoso, Name: "Contoso", path: mockidp.Contoso, login: "jo@contoso.example"}
	fabrikam    = directoryInfo{ID: mockidp.Fabrikam, Name: "Fabrikam", path: mockidp.Fabrikam, login: "kim@fabrikam.example"}
	shop        = directoryInfo{ID: mockidp.Shop, Name: "Shop", path: "contosob2c.onmicrosoft.com/B2C_1_susi", login: "jo@contoso.example", policy: "B2C_1_susi"}
	directories = []directoryInfo{contoso, fabrikam, shop}
)

// pageID is what the page is registered as: a single-page application, in B2C once more.
const pageID = mockidp.Client

// registered is the mock's own directory, in which the API and the page are registered as in Microsoft's portal, with the redirect URIs of
// this run. Orders.Read is consented to for everybody, Jobs.Run is not: workforce tenants ask the user, B2C refuses it.
func registered(page string) mockidp.Directory {
	d := mockidp.DefaultDirectory()
	for i := range d.Tenants {
		for j := range d.Tenants[i].Applications {
			if a := &d.Tenants[i].Applications[j]; a.ID == pageID {
				a.RedirectURIs.SPA = append(a.RedirectURIs.SPA, page+"/", page+"/redirect.html")
			}
		}
	}
	return d
}
