package mockidp

import (
	"net/http"
	"strings"
)

func brokenShapes() []BrokenToken {
	size := group{check: "size", reason: "token_too_large", source: "RFC 7519 sets no limit; decoding junk is a denial of service"}
	shape := group{check: "shape", reason: "token_malformed", source: "RFC 7515 §7.1"}
	strict := shape.from("RFC 7515 §2: base64url without padding; a second spelling of a token passes by deny-lists")
	none := shape.from("RFC 8725 §2.1; CVE-2018-1000531")
	list := []BrokenToken{
		size.of("oversize-payload", "A claim of 70,000 characters makes the token larger than 64 KiB.", Claim("padding", strings.Repeat("x", 70_000))),
		size.of("oversize-signature", "70,000 characters follow the signature.", Mutate(func(raw string) string { return raw + strings.Repeat("A", 70_000) })),
	}
	for i := range list {
		list[i].Status = http.StatusBadRequest
	}
	return append(list,
		shape.of("one-segment", "The dots are missing.", Mutate(func(raw string) string { return strings.ReplaceAll(raw, ".", "") })),
		shape.of("two-segments", "The signature and its dot are missing.", segments(func(h, p, _ string) string { return h + "." + p })),
		shape.of("four-segments", "A fourth segment follows.", Mutate(func(raw string) string { return raw + ".e30" })),
		shape.of("six-segments", "There are six segments.", Mutate(func(raw string) string { return raw + ".e30.e30.e30" })),
		shape.of("empty-header-segment", "The header segment is empty.", segments(func(_, p, s string) string { return "." + p + "." + s })),
		shape.of("empty-payload-segment", "The payload segment is empty.", segments(func(h, _, s string) string { return h + ".." + s })),
		none.from("RFC 8725 §2.1; CVE-2020-28042").of("empty-signature", "The signature is cut off, the header still says RS256.", segments(func(h, p, _ string) string { return h + "." + p + "." })),
		none.because("algorithm", "algorithm_not_allowed").of("alg-none-unsigned", "The header says none, and the signature is empty.", Algorithm("none")),
		shape.because("shape", "token_encrypted").from("RFC 7516 §7.1").by("jwe", "It is an encrypted token: five segments.",
			func(*TenantHandle) []TokenOption {
				return []TokenOption{Mutate(func(string) string {
					header := base64url([]byte(`{"alg":"RSA-OAEP","enc":"A256CBC-HS512","cty":"JWT","kid":"` + base64url(randomBytes(20)) + `"}`))
					parts := []string{header, base64url(randomBytes(256)), base64url(randomBytes(16)), base64url(randomBytes(400)), base64url(randomBytes(32))}
					return strings.Join(parts, ".")
				})}
			}),
		strict.of("padded-signature", "The signature is padded with two equals signs.", Mutate(func(raw string) string { return raw + "==" })),
		strict.by("padded-payload", "The payload segment is padded, and signed that way.", func(t *TenantHandle) []TokenOption {
			pad := resigned(func(h, p string) (string, string) { return h, p + strings.Repeat("=", 4-len(p)%4) })
			return append(pad(t), EditPayload(paddable))
		}),
		strict.by("standard-base64", "The payload segment is in the standard alphabet, and signed that way.",
			func(t *TenantHandle) []TokenOption {
				toStandard := strings.NewReplacer("-", "+", "_", "/")
				swap := resigned(func(h, p string) (string, string) { return h, toStandard.Replace(p) })
				return append(swap(t), Claim("padding", "????????"))
			}),
		strict.of("non-canonical-signature", "The unused bits at the end of the signature are not zero.", Mutate(func(raw string) string {
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
			last := strings.IndexByte(alphabet, raw[len(raw)-1])
			return raw[:len(raw)-1] + string(alphabet[last|1])
		})),
		strict.of("non-ascii-signature", "A letter beyond ASCII follows the signature.", Mutate(func(raw string) string { return raw + "é" })),
		strict.by("percent-encoded", "A character of the payload segment is percent-encoded, and signed that way.",
			resigned(func(h, p string) (string, string) { return h, "%65" + p[1:] })),
	)
}

// paddable makes the length of a text one whose base64 needs padding.
func paddable(text string) string {
	if len(text)%3 == 0 {
		text += " "
	}
	return text
}

func brokenHeaders() []BrokenToken {
	header := group{check: "header", reason: "token_malformed", source: "RFC 7515 §4: the header is one JSON object"}
	twice := header.from("RFC 7515 §4: names are unique; two parsers read two tokens")
	critical := header.because("header", "critical_header").from("RFC 7515 §4.1.11")
	typ := group{check: "type", reason: "token_type_not_allowed", source: "RFC 8725 §3.11; RFC 9068 §4"}
	return []BrokenToken{
		header.of("header-not-json", "The header is not JSON.", RawHeader("RS256")),
		header.of("header-array", "The header is an array.", EditHeader(func(text string) string { return "[" + text + "]" })),
		header.of("header-null", "The header is null.", RawHeader("null")),
		header.of("header-trailing-data", "A second object follows the header.", EditHeader(func(text string) string { return text + "{}" })),
		header.of("header-bom", "The header begins with a byte order mark.", EditHeader(func(text string) string { return "\ufeff" + text })),
		header.of("header-invalid-utf8", "A string of the header is not UTF-8.", EditHeader(insert("\"x\":\"\xff\""))),
		header.of("header-too-large", "The header is larger than 4 KiB.", Header("padding", strings.Repeat("x", 5_000))),
		header.of("header-deep-nesting", "The header nests 20 arrays.", Header("x", nested(20))),
		twice.of("header-duplicate-alg", "The header has alg twice, none comes first.", EditHeader(insert(`"alg":"none"`))),
		twice.by("header-duplicate-kid", "The header has kid twice, another key's comes first.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{EditHeader(insert(`"kid":"` + t.stranger().ID() + `"`))}
		}),
		twice.of("header-escaped-duplicate", "The header has alg a second time, written with an escape.", EditHeader(insert(`"\u0061lg":"none"`))),
		twice.of("header-alg-upper-case", "The header has ALG besides alg: a parser without case takes the last.", EditHeader(insert(`"ALG":"none"`))),
		twice.of("header-kelvin-kid", "The header has a kid that begins with the Kelvin sign, which folds to k.", EditHeader(insert(`"\u212aid":"x"`))),

		critical.of("crit-exp", "The header makes exp critical.", Header("crit", []string{"exp"})),
		critical.of("crit-empty", "The list of critical extensions is empty.", Header("crit", []string{})),
		critical.of("crit-unknown", "An unknown extension is critical.", Header("crit", []string{"urn:example:extension"}), Header("urn:example:extension", true)),
		critical.from("RFC 7797 §6").of("crit-b64", "The payload is declared unencoded.", Header("crit", []string{"b64"}), Header("b64", false)),
		critical.from("RFC 7797 §6").of("b64-without-crit", "The payload is declared unencoded, without crit.", Header("b64", false)),

		typ.of("typ-id-token", "The type is that of an ID token.", Header("typ", "id+jwt")),
		typ.of("typ-logout-token", "The type is that of a logout token.", Header("typ", "logout+jwt")),
		typ.of("typ-pop", "The type is that of a proof of possession.", Header("typ", "pop")),
		typ.of("typ-substring", "The type only contains at+jwt.", Header("typ", "xat+jwt")),
		typ.of("typ-number", "The type is a number.", Header("typ", 1)),
		typ.of("typ-null", "The type is null.", Header("typ", nil)),
	}
}

func brokenAlgorithms() []BrokenToken {
	none := group{check: "algorithm", reason: "algorithm_not_allowed", source: "RFC 8725 §2.1; CVE-2018-1000531"}
	confusion := none.from("RFC 8725 §2.1; CVE-2016-10555")
	other := none.from("RFC 8725 §3.1")
	hmac := func(name, breaks string, secret func(*Key) []byte) BrokenToken {
		return confusion.by(name, breaks, func(t *TenantHandle) []TokenOption {
			return []TokenOption{Algorithm("HS256"), HMACSecret(secret(t.Keys().Signing()))}
		})
	}
	return []BrokenToken{
		none.of("alg-none", "The header says none; a signature is there.", Header("alg", "none")),
		none.of("alg-none-title", "The header says None.", Header("alg", "None")),
		none.of("alg-none-upper", "The header says NONE.", Header("alg", "NONE")),
		none.of("alg-none-mixed", "The header says nOnE.", Header("alg", "nOnE")),
		hmac("hs256-public-pem", "HMAC with the public key in PEM as the secret.", (*Key).PublicPEM),
		hmac("hs256-public-pem-trimmed", "HMAC with the public key in PEM without the last line break.", func(k *Key) []byte {
			pem := k.PublicPEM()
			return pem[:len(pem)-1]
		}),
		hmac("hs256-public-der", "HMAC with the public key in DER as the secret.", (*Key).PublicDER),
		hmac("hs256-modulus", "HMAC with the modulus as the secret.", (*Key).Modulus),
		hmac("hs256-modulus-base64url", "HMAC with n of the JWK, as it is written, as the secret.", func(k *Key) []byte { return []byte(base64url(k.Modulus())) }),
		hmac("hs256-certificate", "HMAC with the certificate as the secret.", (*Key).CertificateDER),
		hmac("hs256-kid", "HMAC with the key ID as the secret.", func(k *Key) []byte { return []byte(k.ID()) }),
		confusion.of("hs256-empty-secret", "HMAC with an empty secret, and a key ID that names an empty file.", Algorithm("HS256"), HMACSecret([]byte{}),
			KeyID("../../../../dev/null")),
		confusion.of("hs512-public-pem", "HMAC-SHA-512 with the public key in PEM as the secret.", Algorithm("HS512")),
		other.of("rs384", "A valid signature with RS384.", Algorithm("RS384")),
		other.of("rs512", "A valid signature with RS512.", Algorithm("RS512")),
		other.of("ps256", "A valid signature with PS256.", Algorithm("PS256")),
		other.of("es256", "A signature with ES256.", Algorithm("ES256")),
		other.of("alg-missing", "The header names no algorithm.", WithoutHeader("alg")),
		other.of("alg-empty", "The algorithm is empty.", Header("alg", "")),
		other.of("alg-null", "The algorithm is null.", Header("alg", nil)),
		other.of("alg-number", "The algorithm is a number.", Header("alg", 256)),
		other.of("alg-array", "The algorithm is a list with RS256 in it.", Header("alg", []string{"RS256"})),
		other.of("alg-lower-case", "The algorithm is rs256: names compare with case.", Header("alg", "rs256")),
		other.of("alg-leading-blank", "A blank precedes RS256.", Header("alg", " RS256")),
		other.of("alg-nul", "A NUL follows RS256.", Header("alg", "RS256\x00")),
	}
}

func brokenKeyIDs() []BrokenToken {
	kid := group{check: "kid", reason: "kid_invalid", source: "RFC 8725 §3.10; RFC 7515 §4.1.4"}
	unknown := kid.because("key", "key_not_found")
	return []BrokenToken{
		kid.of("kid-missing", "The header names no key.", WithoutHeader("kid")),
		kid.of("kid-empty", "The key ID is empty.", KeyID("")),
		kid.of("kid-null", "The key ID is null.", Header("kid", nil)),
		kid.of("kid-number", "The key ID is a number.", Header("kid", 0)),
		kid.by("kid-array", "The key ID is a list with the right one in it.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{Header("kid", []string{t.Keys().Signing().ID()})}
		}),
		kid.of("kid-too-long", "The key ID has 257 characters.", KeyID(strings.Repeat("k", 257))),
		kid.by("kid-nul", "A NUL follows the right key ID.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{KeyID(t.Keys().Signing().ID() + "\x00")}
		}),
		kid.by("kid-newline", "A line break follows the right key ID: it would forge a line of a log.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{KeyID(t.Keys().Signing().ID() + "\n")}
		}),
		kid.of("kid-non-ascii", "The key ID has letters beyond ASCII.", KeyID("ключ")),
		unknown.by("kid-other-case", "The key ID is spelled in the other case.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{KeyID(strings.Map(swapCase, t.Keys().Signing().ID()))}
		}),
		unknown.by("kid-prefix", "The key ID is only the beginning of the right one.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{KeyID(t.Keys().Signing().ID()[:20])}
		}),
		unknown.of("kid-path", "The key ID is a path.", KeyID("../../../../dev/null")),
		unknown.of("kid-sql", "The key ID is an SQL injection.", KeyID("'/**/UNION/**/SELECT/**/'secret'--")),
		unknown.of("kid-url", "The key ID is an address that must not be fetched.", KeyID("https://attacker.example/key")),
	}
}

func swapCase(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z':
		return r - 'a' + 'A'
	case r >= 'A' && r <= 'Z':
		return r - 'A' + 'a'
	}
	return r
}
