package pgtenants

import (
	"context"
	"fmt"
	"strings"

	"github.com/echo-identity/identity"
)

// Kind is what a directory is registered as. Together with the tenant ID it is the key of a row.
type Kind uint8

const (
	// Workforce is a tenant of Entra ID.
	Workforce Kind = iota
	// B2C is an Azure AD B2C directory.
	B2C
	// External is an Entra External ID directory.
	External
)

var kindNames = [...]string{Workforce: "workforce", B2C: "b2c", External: "external"}

// String is the kind as the table has it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

func parseKind(name string) (Kind, error) {
	for kind, known := range kindNames {
		if name == known {
			return Kind(kind), nil
		}
	}
	return 0, fmt.Errorf("kind %.50q is none of workforce, b2c and external", name)
}

// kindOf is the kind of a tenant that is not both B2C and External.
func kindOf(t *identity.Tenant) Kind {
	switch {
	case t.B2C != nil:
		return B2C
	case t.External != nil:
		return External
	}
	return Workforce
}

// of finds the tenant of this kind in a registry that has no other one of the same ID.
func (k Kind) of(registry *identity.Registry, id string) *identity.Tenant {
	issuer := identity.Issuer{TenantID: id, Form: identity.FormV2}
	if k == B2C {
		issuer.Form = identity.FormB2C
	}
	t, err := registry.Tenant(context.Background(), issuer)
	if err != nil {
		return nil
	}
	return t
}

// seal returns the tenant as identity itself would keep it: checked and in normal form, so that the engine need not check it again on
// every request. The error names every field that is wrong.
func seal(t identity.Tenant) (*identity.Tenant, error) {
	var checked identity.Registry
	if err := checked.Add(t); err != nil {
		return nil, err
	}
	return kindOf(&t).of(&checked, strings.ToLower(t.ID)), nil
}
