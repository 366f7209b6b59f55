package mockidp

import (
	"encoding/base64"
	"math/big"
	"strings"
)

func brokenPolicies() []BrokenToken {
	policy := group{check: "policy", reason: "policy_not_allowed", source: "Microsoft: tfp, or acr, names the policy that a B2C token came from", kind: B2C}
	issuer := policy.because("issuer", "issuer_not_trusted").from("Microsoft: the B2C issuer follows the host, and has a final slash")
	return []BrokenToken{
		policy.of("policy-unknown", "The policy is not one of the API's.", Policy("B2C_1_unknown")),
		policy.of("policy-missing", "The token names no policy.", Without("tfp")),
		policy.of("policy-empty", "The policy is empty.", Claim("tfp", "")),
		policy.of("policy-number", "The policy is a number.", Claim("tfp", 1)),
		policy.of("policy-conflict", "tfp and acr name two policies.", Claim("acr", "b2c_1_unknown")),
		policy.by("policy-prefix", "The policy only begins like one of the API's.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{Claim("tfp", t.t.Policies[0]+"_admin")}
		}),
		policy.because("key", "key_not_found").by("policy-other-key", "The token of one policy is signed with another one's key.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{SignedBy(t.otherPolicyKey())}
		}),
		policy.because("signature", "signature_invalid").by("policy-other-key-same-kid", "The same, under the key ID of the right policy.",
			func(t *TenantHandle) []TokenOption {
				return []TokenOption{SignedBy(t.otherPolicyKey()), KeyID(t.Keys().Signing().ID())}
			}),
		issuer.by("b2c-other-host", "The issuer is on another B2C host.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{Claim("iss", "https://attacker.b2clogin.com/"+t.ID()+"/v2.0/")}
		}),
		issuer.of("b2c-tfp-issuer", "The issuer has the policy in its path, which the API does not expect.", TFPIssuer()),
		issuer.because("tenant", "tenant_unknown").by("b2c-no-final-slash", "The issuer lacks its final slash: the form of a workforce tenant.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{Claim("iss", strings.TrimSuffix(t.Issuer(), "/"))}
		}),
		issuer.because("tenant", "tenant_mismatch").of("b2c-other-tid", "tid is another tenant than the issuer's.", Claim("tid", Contoso)),
		issuer.because("tenant", "tenant_mismatch").of("b2c-tid-number", "tid is a number; it may only be absent.", Claim("tid", 1)),
	}
}

// otherPolicyKey is a key of the tenant that does not belong to its first policy.
func (t *TenantHandle) otherPolicyKey() *Key {
	if len(t.t.Policies) < 2 {
		return t.stranger()
	}
	return t.PolicyKeys(t.t.Policies[1]).Signing()
}

func brokenKeys() []BrokenToken {
	key := group{check: "key", reason: "key_not_found", source: "RFC 8725 §3.8: a key belongs to an issuer"}
	bound := group{check: "key-issuer", reason: "key_issuer_mismatch", source: "Microsoft: validate the issuer of the signing key"}
	embedded := key.from("RFC 8725 §3.10: never take a key from the token; CVE-2018-0114")
	return []BrokenToken{
		key.by("key-unpublished", "The signing key is not published.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{SignedBy(t.stranger())}
		}),
		key.by("key-of-other-cloud", "The signing key is published, by another cloud.", func(t *TenantHandle) []TokenOption {
			other := China
			if t.t.Cloud == China {
				other = Public
			}
			return []TokenOption{SignedBy(t.srv.CloudKeys(other).Signing())}
		}),
		key.by("key-of-application", "The signing key is one that an administrator gave to an application.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{SignedBy(t.AppKeys(Client).Signing())}
		}),
		embedded.by("embedded-jwk-own-kid", "The header brings the attacker's key along, under a key ID of its own.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{SignedBy(t.stranger()), Header("jwk", t.stranger().jwk(""))}
		}),
		embedded.by("jku-own-kid", "The header names the attacker's key set, and a key in it.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{SignedBy(t.stranger()), Header("jku", "https://attacker.example/keys")}
		}),
		bound.of("consumer-key", "The key of personal accounts signs an organisation's token.", signedByConsumer()),
		bound.of("consumer-key-v1", "The key of personal accounts signs an organisation's v1 token.", V1(), signedByConsumer()),
	}
}

// signedByConsumer signs with the key of personal accounts whatever the token says.
func signedByConsumer() TokenOption {
	return tokenOption(func(b *builder) { b.key = b.handle.Keys().Consumer() })
}

// forged signs with the attacker's key under the key ID of the right one.
func forged(more func(attacker *Key) []TokenOption) func(*TenantHandle) []TokenOption {
	return func(t *TenantHandle) []TokenOption {
		return append(more(t.stranger()), SignedBy(t.stranger().WithID(t.Keys().Signing().ID())))
	}
}

// spoiled changes the bytes of the signature.
func spoiled(f func(signature []byte) []byte) TokenOption {
	return segments(func(header, payload, signature string) string {
		b, err := base64.RawURLEncoding.DecodeString(signature)
		if err != nil {
			panic("mockidp: " + err.Error()) // segments gets what Token made
		}
		return header + "." + payload + "." + base64url(f(b))
	})
}

func brokenSignatures() []BrokenToken {
	signature := group{check: "signature", reason: "signature_invalid", source: "RFC 7515 §5.2"}
	embedded := signature.from("RFC 8725 §3.10: never take a key from the token; CVE-2018-0114")
	swapped := signature.from("RFC 8725 §3.1: the algorithm decides, not what the signature looks like")
	return []BrokenToken{
		signature.by("forged", "Another key signs under the key ID of the right one.", forged(func(*Key) []TokenOption { return nil })),
		signature.of("payload-changed", "A scope is added after signing.", segments(func(header, payload, signature string) string {
			text, err := base64.RawURLEncoding.DecodeString(payload)
			if err != nil {
				panic("mockidp: " + err.Error())
			}
			return header + "." + base64url([]byte(strings.Replace(string(text), `"scp":"`, `"scp":"admin `, 1))) + "." + signature
		})),
		signature.of("header-changed", "A header parameter is added after signing.", segments(func(header, payload, signature string) string {
			text, err := base64.RawURLEncoding.DecodeString(header)
			if err != nil {
				panic("mockidp: " + err.Error())
			}
			return base64url([]byte(insert(`"x":1`)(string(text)))) + "." + payload + "." + signature
		})),
		signature.by("signature-of-other-token", "The signature is another token's.", func(t *TenantHandle) []TokenOption {
			other := t.Token(Subject("another"))
			return []TokenOption{segments(func(header, payload, _ string) string {
				return header + "." + payload + other[strings.LastIndexByte(other, '.'):]
			})}
		}),
		signature.of("signature-bit-flipped", "One bit of the signature is flipped.", spoiled(func(s []byte) []byte {
			s[len(s)/2] ^= 1
			return s
		})),
		signature.of("signature-truncated", "The signature is cut in half.", spoiled(func(s []byte) []byte { return s[:len(s)/2] })),
		signature.of("signature-one-byte", "The signature is one byte.", spoiled(func([]byte) []byte { return []byte{1} })),
		signature.of("signature-extra-bytes", "Bytes follow the signature.", spoiled(func(s []byte) []byte { return append(s, 0, 0, 0) })),
		signature.of("signature-leading-zero", "A zero byte precedes the signature.", spoiled(func(s []byte) []byte { return append([]byte{0}, s...) })),
		signature.from("RFC 8017 §5.2.2: the representative is below the modulus").by("signature-plus-modulus", "The modulus is added to the signature.",
			func(t *TenantHandle) []TokenOption {
				n := t.Keys().Signing().Public().N
				return []TokenOption{spoiled(func(s []byte) []byte { return new(big.Int).Add(new(big.Int).SetBytes(s), n).Bytes() })}
			}),
		signature.from("CVE-2022-21449: a zero signature").of("signature-zero", "The signature is zero.", spoiled(func(s []byte) []byte { return make([]byte, len(s)) })),
		signature.of("signature-one", "The signature is the number one, whose powers are one.", spoiled(func(s []byte) []byte {
			one := make([]byte, len(s))
			one[len(s)-1] = 1
			return one
		})),
		swapped.of("rs512-as-rs256", "A signature with RS512; the header says RS256.", Algorithm("RS512"), Header("alg", "RS256")),
		swapped.of("ps256-as-rs256", "A signature with PS256; the header says RS256.", Algorithm("PS256"), Header("alg", "RS256")),
		swapped.of("hs256-as-rs256", "HMAC with the public key; the header says RS256.", Algorithm("HS256"), Header("alg", "RS256")),
		embedded.by("embedded-jwk", "The header brings the attacker's key along.", forged(func(attacker *Key) []TokenOption {
			return []TokenOption{Header("jwk", attacker.jwk(""))}
		})),
		embedded.by("embedded-x5c", "The header brings the attacker's certificate along.", forged(func(attacker *Key) []TokenOption {
			return []TokenOption{Header("x5c", []string{base64.StdEncoding.EncodeToString(attacker.certificate)})}
		})),
		embedded.by("jku", "The header names the attacker's key set.", forged(func(*Key) []TokenOption {
			return []TokenOption{Header("jku", "https://attacker.example/keys")}
		})),
		embedded.by("x5u", "The header names the attacker's certificate.", forged(func(*Key) []TokenOption {
			return []TokenOption{Header("x5u", "https://attacker.example/certificate")}
		})),
	}
}

func brokenBindings() []BrokenToken {
	bound := group{check: "binding", reason: "token_bound", source: "RFC 7800 §3; RFC 9449 §7.1"}
	permissions := group{check: "permissions", reason: "no_permissions", source: "Microsoft: an access token has scp or roles"}
	idToken := permissions.because("permissions", "id_token").from("RFC 9068 §5; Microsoft: an ID token is not for APIs")
	return []BrokenToken{
		bound.of("cnf-kid", "The token is bound to a key (SHR).", Claim("cnf", map[string]any{"kid": fakeSub})),
		bound.from("RFC 8705 §3.1").of("cnf-certificate", "The token is bound to a client certificate.", Claim("cnf", map[string]any{"x5t#S256": fakeSub})),
		bound.from("RFC 9449 §6.1").of("cnf-dpop", "The token is bound by DPoP.", Claim("cnf", map[string]any{"jkt": fakeSub})),
		bound.of("cnf-null", "cnf is there and null.", Claim("cnf", nil)),
		permissions.of("no-scp", "The user granted nothing.", Scopes()),
		permissions.of("no-scp-v1", "The user granted nothing, v1.", V1(), Scopes()),
		permissions.of("no-roles", "The application was granted nothing.", AppOnly()),
		permissions.of("scope-instead-of-scp", "The permission is in scope, which Microsoft does not issue.", Scopes(), Claim("scope", "access_as_user")),
		idToken.of("id-token-same-registration", "It is an ID token of a client that shares its registration with the API.", IDToken(), Audience(API)),
		permissions.in(B2C).of("b2c-no-scp", "The user granted nothing, B2C.", Scopes()),
		idToken.in(B2C).of("b2c-id-token-same-registration", "It is a B2C ID token of a client that shares its registration with the API.", IDToken(), Audience(API)),
		idToken.because("audience", "id_token").in(B2C).of("b2c-id-token", "It is a B2C ID token.", IDToken()),
	}
}

func brokenExternal() []BrokenToken {
	issuer := group{check: "issuer", reason: "issuer_not_trusted", source: "Microsoft: External ID issues from the host that is the tenant's ID", kind: External}
	unknown := issuer.because("tenant", "tenant_unknown")
	return []BrokenToken{
		issuer.by("external-name-host", "The issuer is on a name host that the API does not list.", issuerFrom("https://attacker.ciamlogin.com/{tid}/v2.0")),
		issuer.by("external-workforce-issuer", "The issuer is the workforce one of the same tenant.", issuerFrom("https://login.microsoftonline.com/{tid}/v2.0")),
		unknown.by("external-other-path", "The host names the tenant, the path another one.", issuerFrom("https://{tid}.ciamlogin.com/"+unknownTenantID+"/v2.0")),
		issuer.because("tenant", "tenant_mismatch").of("external-no-tid", "There is no tid.", Without("tid")),
		issuer.because("key", "key_not_found").by("external-workforce-key", "The signing key is that of the workforce cloud.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{SignedBy(t.srv.CloudKeys(t.t.Cloud).Signing())}
		}),
		issuer.because("signature", "signature_invalid").by("external-forged", "Another key signs under the key ID of the right one.",
			forged(func(*Key) []TokenOption { return nil })),
	}
}
