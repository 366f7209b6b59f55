package identity

// claims holds the claims that decide (RFC 7519 §4). A claim that is absent has its zero value. Those whose fault a later step
// has to answer for, in its place in the order of checks, come here without one: see parse.
type claims struct {
	issuer, subject, version string // iss, sub, ver: empty also when not a string
	tenantID, objectID       string // tid, oid
	azp, appID               string
	idType, idp              string // idtyp, idp
	tfp, acr                 string

	audience     stringList // aud: empty also when it is neither a string nor an array of strings
	scope        string     // scp
	roles        stringList // a single string is one role, blanks and all
	groups       stringList
	authContexts stringList // acrs
	capabilities stringList // xms_cc

	expires, notBefore, issuedAt numericDate // exp, nbf, iat

	hasTenantID, hasTFP, hasACR bool // also true for a value that is not a string, which reads as empty
	hasScope, hasRoles          bool

	hasGroups       bool // hasgroups is true
	groupsElsewhere bool // _claim_names has a member "groups"
	account         accountKind
	bound           bool // cnf is there, whatever its value
}

// accountKind is the acct claim.
type accountKind uint8

const (
	accountUnknown accountKind = iota // no such claim
	accountMember
	accountGuest
)

// parse reads the claims. Wrong types are refused here, except where a later step has its own answer: iss, ver, aud, tid,
// tfp, acr, and the times.
func (c *claims) parse(payload string) error {
	r := objectReader{scanner: scanner{src: payload}}
	var fault error
	for r.next() {
		if !c.set(r.name, r.value) && fault == nil {
			fault = wrongType(r.name)
		}
	}
	if r.fault != nil { // decides before any claim does
		return newError(ErrTokenMalformed, r.fault)
	}
	if fault == nil && r.saw("azp") && r.saw("appid") && c.azp != c.appID {
		fault = errCallers
	}
	if fault != nil {
		return newError(ErrClaims, fault)
	}
	return nil
}

// wrongType is the name of the claim at fault.
type wrongType string

func (w wrongType) Error() string { return "claim " + string(w) + " has the wrong type" }

// set stores one claim. It is false if the claim has the wrong type, and that is for parse to say.
func (c *claims) set(name, value string) (ok bool) {
	ok = true
	switch name {
	case "iss":
		c.issuer, _ = stringValue(value)
	case "ver":
		c.version, _ = stringValue(value)
	case "aud":
		c.audience, _ = listValue(value)
	case "tid":
		c.tenantID, _ = stringValue(value)
		c.hasTenantID = true
	case "tfp":
		c.tfp, _ = stringValue(value)
		c.hasTFP = true
	case "acr":
		c.acr, _ = stringValue(value)
		c.hasACR = true
	case "exp":
		c.expires = dateValue(value)
	case "nbf":
		c.notBefore = dateValue(value)
	case "iat":
		c.issuedAt = dateValue(value)
	case "sub":
		c.subject, ok = stringValue(value)
	case "oid":
		c.objectID, ok = stringValue(value)
	case "azp":
		c.azp, ok = stringValue(value)
	case "appid":
		c.appID, ok = stringValue(value)
	case "idtyp":
		c.idType, ok = stringValue(value)
	case "idp":
		c.idp, ok = stringValue(value)
	case "scp":
		c.scope, ok = stringValue(value)
		c.hasScope = true
	case "roles":
		c.roles, ok = listValue(value)
		c.hasRoles = true
	case "groups":
		c.groups, ok = listValue(value)
	case "acrs":
		c.authContexts, ok = listValue(value)
	case "xms_cc":
		c.capabilities, ok = listValue(value)
	case "hasgroups":
		c.hasGroups, ok = boolValue(value)
	case "_claim_names":
		_, c.groupsElsewhere = lookupClaim(value, "groups")
		ok = value[0] == '{'
	case "acct":
		c.account, ok = accountValue(value)
	case "cnf":
		c.bound = true
	}
	return ok
}

// knownNames are the names that we decide by, of header and claims alike: a name of the one means nothing in the other,
// and is guarded there too.
var knownNames = [...]string{
	"alg", "kid", "typ", "crit", "b64",
	"iss", "sub", "aud", "exp", "nbf", "iat", "ver", "tid", "oid", "azp", "appid", "scp", "roles", "groups", "hasgroups",
	"_claim_names", "idtyp", "tfp", "acr", "acrs", "xms_cc", "idp", "acct", "cnf",
}

// knownSlots finds a known name without trying them all: each has a slot of its own, which holds its place in
// knownNames, counted from one.
var knownSlots = func() (slots [64]uint8) {
	for i, name := range knownNames {
		slot := &slots[mix(name)]
		if *slot != 0 {
			panic("identity: " + name + " and " + knownNames[*slot-1] + " share a slot")
		}
		*slot = uint8(i + 1)
	}
	return slots
}()

// knownName is the bit of a name that we decide by, zero for other names.
func knownName(name string) (bit uint64) {
	if i := knownSlots[mix(name)]; i != 0 && knownNames[i-1] == name {
		return 1 << i
	}
	return 0
}
