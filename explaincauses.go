package identity

// causes have more to say of a reason than reasonWords, because they have seen the token. An empty sentence and nil advice leave it
// to those.
var causes = map[Reason]func(x *explainer) (cause string, advice []string){
	reasonOf(ErrTokenTooLarge):      (*explainer).tooLarge,
	reasonOf(ErrTokenMalformed):     (*explainer).malformed,
	reasonOf(ErrAlgorithm):          (*explainer).algorithm,
	reasonOf(ErrTokenType):          (*explainer).tokenType,
	reasonOf(ErrCritical):           (*explainer).critical,
	reasonOf(ErrKeyID):              (*explainer).keyID,
	reasonOf(ErrClaims):             (*explainer).wrongClaims,
	reasonOf(ErrIssuer):             (*explainer).issuer,
	reasonOf(ErrUnknownTenant):      (*explainer).unknownTenant,
	reasonOf(ErrTenantMismatch):     (*explainer).otherTenant,
	reasonOf(ErrVersion):            (*explainer).version,
	reasonOf(ErrAudience):           (*explainer).audience,
	reasonOf(ErrOtherResource):      (*explainer).graph,
	reasonOf(ErrIDToken):            (*explainer).idToken,
	reasonOf(ErrExpired):            (*explainer).expired,
	reasonOf(ErrNotYetValid):        (*explainer).early,
	reasonOf(ErrIssuedInFuture):     (*explainer).early,
	reasonOf(ErrTime):               (*explainer).wrongTime,
	reasonOf(ErrPolicy):             (*explainer).otherPolicy,
	reasonOf(ErrKeyNotFound):        (*explainer).noSuchKey,
	reasonOf(ErrKeyUnusable):        (*explainer).unusableKey,
	reasonOf(ErrKeyIssuer):          (*explainer).keyOfOthers,
	reasonOf(ErrKeysUnavailable):    (*explainer).noKeys,
	reasonOf(ErrSignature):          (*explainer).signature,
	reasonOf(ErrNoPermissions):      (*explainer).noPermissions,
	reasonOf(ErrClient):             (*explainer).client,
	reasonOf(ErrGuest):              (*explainer).guest,
	reasonOf(ErrTenantsUnavailable): (*explainer).ownFault,
	reasonOf(ErrTenantInvalid):      (*explainer).ownFault,
	reasonOf(ErrInternal):           (*explainer).ownFault,
}

// forgery is the advice where no honest token is like that.
var forgery = []string{"Microsoft issues no such token. Find out where it comes from."}
