package identity_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strconv"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func algorithmAttacks() []attackClass {
	return []attackClass{unsecured(), misspelled(), otherAlgorithms(), confused(), confusedUnderRS256()}
}

// headerText is a good header with this JSON as its algorithm.
func headerText(s *siege, alg string) string {
	return `{"typ":"JWT","alg":` + alg + `,"kid":"` + s.right.ID() + `"}`
}

// withoutSignature takes the signature off, for who thinks that there is none.
func withoutSignature(raw string) string { return raw[:strings.LastIndexByte(raw, '.')+1] }

func unsecured() attackClass {
	class := attackClass{
		name: "unsecured", source: "RFC 8725 §2.1; CVE-2018-1000531",
		good: []attack{{name: "RS256 signed", token: of()}},
	}
	add := func(name, source string, want error, token func(*siege) string) {
		class.attacks = append(class.attacks, attack{name, source, want, token})
	}
	for _, alg := range []string{
		"None", "NONE", "nOnE", "NoNe", "noNE", "none ", " none", "none\t", "none\n", "none\x00", "\x00none", "none\x00RS256", "ｎｏｎｅ",
		"n\u200bone", "nοne", "n\u00f6ne", "non\u0065\u0301", "none;RS256", "none,RS256", "RS256,none", "RS256 none", "", " ", "null",
		"undefined", "false", "plain", "unsecured", "nil", "0", "-",
	} {
		source := ""
		if alg == "nOnE" || alg == "NoNe" || alg == "noNE" {
			source = "RFC 8725 §2.1; Insomnia Security on Auth0's Authentication API, 2020: none in mixed case"
		}
		add("unsigned, alg "+strconv.Quote(alg), source, identity.ErrAlgorithm, func(s *siege) string {
			return withoutSignature(s.contoso.Token(mockidp.Header("alg", alg)))
		})
	}
	for _, text := range []string{
		`"\u006eone"`, `"\u006e\u006f\u006e\u0065"`, `["none"]`, `["none","RS256"]`, `{"alg":"none"}`, `false`, `[]`, `{}`,
	} {
		add("unsigned, alg as JSON "+text, "", identity.ErrAlgorithm, func(s *siege) string {
			return withoutSignature(s.contoso.Token(mockidp.RawHeader(headerText(s, text))))
		})
	}
	none := func(signature string) func(*siege) string {
		return func(s *siege) string { return s.contoso.Token(mockidp.Algorithm("none")) + signature }
	}
	add("alg none, a signature of one byte", "CVE-2020-28042: a signature that is cut off", identity.ErrAlgorithm, none("AA"))
	add("alg none, a signature that says none", "", identity.ErrAlgorithm, none("bm9uZQ"))
	add("alg none, the right signature", "CVE-2022-23540", identity.ErrAlgorithm, func(s *siege) string {
		return s.signed(headerText(s, `"none"`), claimsOf(s.contoso.Token()))
	})
	add("alg none, no kid", "CVE-2023-29357", identity.ErrAlgorithm, of(mockidp.Algorithm("none"), mockidp.WithoutHeader("kid", "typ", "x5t")))
	add("alg none, two segments", "CVE-2018-1000125: a header and a body are enough", identity.ErrTokenMalformed, func(s *siege) string {
		return strings.TrimSuffix(s.contoso.Token(mockidp.Algorithm("none")), ".")
	})
	add("alg none around an actor token", "CVE-2025-55241: unsigned impersonation tokens around a signed actor token", identity.ErrAlgorithm,
		func(s *siege) string {
			return s.contoso.Token(mockidp.Algorithm("none"), mockidp.Claim("actortoken", s.fabrikam.Token(mockidp.AppOnly("r"))))
		})
	add("RS256 and a NUL for a signature", "CVE-2020-28042: an empty signature", identity.ErrSignature, func(s *siege) string {
		return withoutSignature(s.contoso.Token()) + "AA"
	})
	return class
}

// claimsOf is the text of a token's claims.
func claimsOf(raw string) string {
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		panic(err)
	}
	return string(text)
}

func misspelled() attackClass {
	class := attackClass{
		name: "algorithm misspelled", source: "RFC 7515 §4.1.1: compared with case, character by character; RFC 8725 §3.1",
		good: []attack{{name: "RS256 in escapes", token: func(s *siege) string {
			return s.signed(headerText(s, `"\u0052S25\u0036"`), claimsOf(s.contoso.Token()))
		}}},
	}
	for _, alg := range []string{
		"Rs256", "rS256", "RS256 ", "RS256\t", "\tRS256", "RS256\n", "RS256\r\n", "\vRS256", "RS\x00256", "\x00RS256", "RS256\u0000\u0000", "RS256\u200b",
		"\ufeffRS256", "RS256\u00a0", "RS256\u0301", "ＲＳ２５６", "RS２56", "RЅ256", "ᎡS256", "RŠ256", "RSſ256", "RS-256", "RS_256", "RS 256", "RS0256",
		"RS256.", "RS256/", "RS256,RS256", "RS256RS256", "RSA256", "RSA-SHA256", "SHA256withRSA", "sha256WithRSAEncryption", "rsassa-pkcs1-v1_5", "RSASSA-PKCS1-v1_5",
		"1.2.840.113549.1.1.11", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "256", "-257", "RS", "S256", "RS25", "RS2566", "*", "any",
	} {
		class.attacks = append(class.attacks, attack{"alg " + strconv.Quote(alg), "", identity.ErrAlgorithm, of(mockidp.Header("alg", alg))})
	}
	for _, text := range []string{
		`true`, `{}`, `{"name":"RS256"}`, `["RS256","RS256"]`, `[["RS256"]]`, `256.0`, `-257`, `1e400`, `"\ud835\udde5S256"`,
	} {
		class.attacks = append(class.attacks, attack{"alg as JSON " + text, "", identity.ErrAlgorithm, func(s *siege) string {
			return s.signed(headerText(s, text), claimsOf(s.contoso.Token()))
		}})
	}
	return class
}

func otherAlgorithms() attackClass {
	class := attackClass{
		name: "other algorithms", source: "RFC 8725 §3.1",
		good: []attack{{name: "the one algorithm", token: of(mockidp.Algorithm("RS256"))}},
	}
	for _, alg := range []string{"PS384", "PS512", "HS384"} {
		class.attacks = append(class.attacks, attack{"really signed with " + alg, "", identity.ErrAlgorithm, of(mockidp.Algorithm(alg))})
	}
	for _, alg := range []string{
		"RS1", "RS224", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "HS1", "MD5", "RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "A256KW", "A256GCM", "dir", "ECDH-ES",
		"PBES2-HS256+A128KW", "ML-DSA-65", "SM2",
	} {
		source := ""
		switch alg {
		case "RS1":
			source = "RFC 8812 §2: SHA-1, not recommended"
		case "PBES2-HS256+A128KW":
			source = "RFC 7518 §4.8; CVE-2022-36083"
		case "ES256K":
			source = "RFC 8812 §3.2"
		}
		class.attacks = append(class.attacks, attack{"a header that says " + alg, source, identity.ErrAlgorithm, of(mockidp.Header("alg", alg))})
	}
	return class
}

// A publicForm is how somebody may hold the public key, and hand it to an HMAC by mistake.
type publicForm struct {
	name, source string
	catalogued   bool // mockidp's catalogue has the honest HS256 of it
	secret       func(s *siege) []byte
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func publicForms() []publicForm {
	text := func(f func(k *mockidp.Key) string) func(*siege) []byte {
		return func(s *siege) []byte { return []byte(f(s.right)) }
	}
	of := func(f func(k *mockidp.Key) []byte) func(*siege) []byte {
		return func(s *siege) []byte { return f(s.right) }
	}
	return []publicForm{
		{"PKIX PEM", "CVE-2016-10555; CVE-2016-5431", true, of((*mockidp.Key).PublicPEM)},
		{"PKIX PEM without its last line break", "", true, of(func(k *mockidp.Key) []byte { return bytes.TrimSpace(k.PublicPEM()) })},
		{"PKIX PEM with CRLF", "", false, of(func(k *mockidp.Key) []byte { return bytes.ReplaceAll(k.PublicPEM(), []byte("\n"), []byte("\r\n")) })},
		{"PKIX PEM with two final line breaks", "", false, of(func(k *mockidp.Key) []byte { return append(k.PublicPEM(), '\n') })},
		{"PKIX PEM behind a blank", "", false, of(func(k *mockidp.Key) []byte { return append([]byte(" "), k.PublicPEM()...) })},
		{"PKIX DER", "", true, of((*mockidp.Key).PublicDER)},
		{"PKIX DER in base64", "", false, text(func(k *mockidp.Key) string { return base64.StdEncoding.EncodeToString(k.PublicDER()) })},
		{"PKCS#1 PEM", "CVE-2017-11424; CVE-2023-48223", false, of(func(k *mockidp.Key) []byte { return pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(k.Public())) })},
		{"PKCS#1 DER", "", false, of(func(k *mockidp.Key) []byte { return x509.MarshalPKCS1PublicKey(k.Public()) })},
		{"certificate PEM", "", false, of(func(k *mockidp.Key) []byte { return pemOf("CERTIFICATE", k.CertificateDER()) })},
		{"certificate DER", "", true, of((*mockidp.Key).CertificateDER)},
		{"certificate in x5c", "", false, text(func(k *mockidp.Key) string { return base64.StdEncoding.EncodeToString(k.CertificateDER()) })},
		{"OpenSSH line", "CVE-2024-33663; CVE-2022-29217", false, of(sshLine)},
		{"JWK", "", false, of(publicJWK)},
		{"JWK set", "", false, of(func(k *mockidp.Key) []byte { return []byte(`{"keys":[` + string(publicJWK(k)) + `]}`) })},
		{"modulus", "", true, of((*mockidp.Key).Modulus)},
		{"modulus behind a zero", "", false, of(func(k *mockidp.Key) []byte { return append([]byte{0}, k.Modulus()...) })},
		{"modulus in base64url", "", true, text(func(k *mockidp.Key) string { return base64.RawURLEncoding.EncodeToString(k.Modulus()) })},
		{"modulus in hexadecimal", "", false, text(func(k *mockidp.Key) string { return hex.EncodeToString(k.Modulus()) })},
		{"modulus in decimal", "", false, text(func(k *mockidp.Key) string { return k.Public().N.String() })},
		{"exponent", "", false, text(func(*mockidp.Key) string { return "AQAB" })},
		{"kid", "RFC 8725 §2.1", true, text((*mockidp.Key).ID)},
		{"the word secret", "RFC 8725 §2.2: weak symmetric keys", false, text(func(*mockidp.Key) string { return "secret" })},
		{"client ID", "RFC 8725 §2.2: weak symmetric keys", false, text(func(*mockidp.Key) string { return mockidp.API })},
		{"32 zeros", "RFC 8725 §2.2: weak symmetric keys", false, of(func(*mockidp.Key) []byte { return make([]byte, 32) })},
		{"nothing", "RFC 8725 §2.2: weak symmetric keys", false, of(func(*mockidp.Key) []byte { return []byte{} })},
	}
}

func publicJWK(k *mockidp.Key) []byte {
	text, err := json.Marshal(map[string]any{
		"kty": "RSA", "use": "sig", "kid": k.ID(), "n": encoded(k.Public().N), "e": encoded(big.NewInt(int64(k.Public().E))),
	})
	if err != nil {
		panic(err)
	}
	return text
}

// sshLine is the public key as authorized_keys has it (RFC 4253 §6.6).
func sshLine(k *mockidp.Key) []byte {
	var wire []byte
	for _, field := range [][]byte{[]byte("ssh-rsa"), big.NewInt(int64(k.Public().E)).Bytes(), append([]byte{0}, k.Modulus()...)} {
		wire = append(binary.BigEndian.AppendUint32(wire, uint32(len(field))), field...)
	}
	return []byte("ssh-rsa " + base64.StdEncoding.EncodeToString(wire) + " idp\n")
}

// confused: the verifier that lets the token choose takes its public key for the secret of an HMAC.
func confused() attackClass {
	class := attackClass{
		name: "HMAC with the public key", source: "RFC 8725 §2.1; CVE-2015-9235; CVE-2016-10555; CVE-2023-48238; CVE-2024-54150",
		good: []attack{{name: "RS256 with the private key", token: of()}},
	}
	for _, form := range publicForms() {
		for _, alg := range []string{"HS256", "HS384", "HS512"} {
			if form.catalogued && alg == "HS256" {
				continue
			}
			class.attacks = append(class.attacks, attack{alg + " with " + form.name, form.source, identity.ErrAlgorithm, func(s *siege) string {
				return s.contoso.Token(mockidp.Algorithm(alg), mockidp.HMACSecret(form.secret(s)))
			}})
		}
	}
	return class
}

// confusedUnderRS256: the same, with a header that lies about it.
func confusedUnderRS256() attackClass {
	class := attackClass{
		name: "HMAC under RS256", source: "RFC 8725 §3.1: the algorithm decides, not what the signature looks like",
		good: []attack{{name: "RS256 under RS256", token: of()}},
	}
	for _, form := range publicForms() {
		class.attacks = append(class.attacks, attack{"HMAC under RS256 with " + form.name, form.source, identity.ErrSignature, func(s *siege) string {
			return s.contoso.Token(mockidp.Algorithm("HS256"), mockidp.HMACSecret(form.secret(s)), mockidp.Header("alg", "RS256"))
		}})
	}
	return class
}
