package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

func (x *explainer) tooLarge() (string, []string) {
	return fmt.Sprintf("The token is too long: it has %s bytes, and more than 65,536 are not read.", thousands(x.facts.Length)), nil
}

// The parts of a token, in words.
var partNames = [...]string{"the header", "the claims", "the signature"}

func (x *explainer) malformed() (string, []string) {
	cut := []string{"Copy the whole value of access_token, and nothing else: three parts with dots between them."}
	n := strings.Count(x.c.raw, ".") + 1
	switch {
	case x.c.raw == "":
		return "There is no token: the text is empty.", cut
	case n == 1:
		return "This is not a token that an API can read: such a token has three parts with dots between them, and there is no dot here.",
			append(cut, "Tokens for some of Microsoft's own services, and for personal accounts, are opaque: ask for a scope of this API to get one for it.")
	case n == 2:
		return "The signature of the token is missing: it has two parts instead of three.", cut
	case n != 3:
		return fmt.Sprintf("The token has %d parts instead of three: something was put behind it.", n), cut
	}
	for i, part := range strings.Split(x.c.raw, ".") {
		if part == "" {
			return fmt.Sprintf("A part of the token is empty: %s.", partNames[i]), cut
		}
	}
	switch cause := x.cause(); cause {
	case errHeader:
		return "The header of the token is longer than 4 KiB.", forgery
	case errSignature:
		return "The signature of the token is longer than any signature can be.", cut
	case errBase64:
		return x.misspelled(), []string{"Send the token exactly as the client received it: nothing may decode, encode, pad or wrap it on its way."}
	}
	return x.badJSON(), forgery
}

// misspelled finds what is wrong with the encoding, in the order in which the parts are read.
func (x *explainer) misspelled() string {
	parts := strings.Split(x.c.raw, ".")
	for _, i := range []int{0, 2, 1} {
		if _, ok := decodeSegment(nil, parts[i]); ok {
			continue
		}
		text := "A part of the token, " + partNames[i] + ", is not spelled as it must be: "
		for _, r := range parts[i] {
			if strings.ContainsRune(tokenCharacters, r) {
				continue
			}
			switch r {
			case '=':
				return text + "it is padded with equals signs, which a token never is."
			case '+', '/':
				return text + "it has the characters + and / of another alphabet; a token has - and _."
			case '%':
				return text + "it is percent-encoded, as in an address."
			}
			return text + "it has the character " + quoted(string(r)) + " in it."
		}
		if len(parts[i])%4 == 1 {
			return text + "a character is missing or too much."
		}
		return text + "its last character was changed."
	}
	return ""
}

// badJSON finds what is wrong with the JSON of the header or of the claims.
func (x *explainer) badJSON() string {
	part, text, they := "the claims", x.claimsText, "they"
	var p tokenParser
	if _, err := p.parseHeader(x.parts[0]); err != nil {
		part, text, they = "the header", x.headerText, "it"
	}
	const twoReaders = ", so that two programs could read two different tokens."
	switch cause := x.cause(); cause {
	case errSyntax:
		are := map[string]string{"it": "is", "they": "are"}[they]
		if validJSON(text) {
			return fmt.Sprintf("A part of the token, %s, cannot be read: %s %s %s, where names with values are expected.", part, they, are, kindOfJSON(strings.TrimSpace(text)))
		}
		return fmt.Sprintf("A part of the token, %s, cannot be read as JSON: %s.", part, syntaxFault(text))
	case errDepth:
		return fmt.Sprintf("A part of the token, %s, has lists or objects inside each other, more than %d deep.", part, maxDepth)
	case errEncoding:
		return fmt.Sprintf("A part of the token, %s, holds text that is not valid Unicode.", part)
	case errDuplicate, errLookalike:
		first, second, ok := repeated(text)
		switch {
		case ok && first == second:
			return fmt.Sprintf(`A part of the token, %s, has the name "%s" twice`, part, first) + twoReaders
		case ok:
			return fmt.Sprintf(`A part of the token, %s, has the name "%s", which others take for "%s"`, part, second, first) + twoReaders
		}
		return fmt.Sprintf("A part of the token, %s, has two names that are too much alike", part) + twoReaders
	}
	return fmt.Sprintf("A part of the token, %s, is out of all proportion: %s.", part, x.causeText())
}

// syntaxFault says what keeps a text from being JSON.
func syntaxFault(text string) string {
	if strings.HasPrefix(text, "\ufeff") {
		return "it begins with a byte order mark"
	}
	d := json.NewDecoder(strings.NewReader(text))
	var first json.RawMessage
	switch err := d.Decode(&first); {
	case err == nil:
		return "something follows the object"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends in the middle"
	default:
		return shown(err.Error())
	}
}

func (x *explainer) algorithm() (string, []string) {
	alg := x.header.text("alg")
	switch {
	case !x.header.has("alg"):
		return "The token does not say how it is signed: its header has no alg.", nil
	case x.header.kind("alg") != "a text" || alg == "":
		return "The token does not say how it is signed: alg in its header is " + emptyOr(x.header.kind("alg")) + ".", nil
	case strings.EqualFold(alg, "none"):
		return "The token says that it is not signed at all (alg is " + quoted(alg) + "), so that anybody can have written it.", nil
	case strings.HasPrefix(alg, "HS"):
		return fmt.Sprintf("The token is signed with a shared password (%s); Microsoft signs with RS256, and with a key that only Microsoft has.", shown(alg)), nil
	}
	return fmt.Sprintf("The token says that it is signed with %s; Microsoft signs with RS256 alone.", quoted(alg)), nil
}

func emptyOr(kind string) string {
	if kind == "a text" {
		return "empty"
	}
	return kind
}

func (x *explainer) tokenType() (string, []string) {
	if kind := x.header.kind("typ"); kind != "a text" {
		return "The token does not say properly what it is: typ in its header is " + kind + ".", forgery
	}
	return fmt.Sprintf("The token says of itself that it is something else than an access token: typ is %s.", quoted(x.header.text("typ"))), nil
}

func (x *explainer) critical() (string, []string) {
	if !x.header.has("crit") {
		return "The token's header has b64, which says that the claims are written in a way that nobody here reads.", nil
	}
	return fmt.Sprintf("The token's header demands extensions (crit: %s): whoever does not understand them must refuse the token, and none is understood here.",
		listText(x.header.list("crit"))), nil
}

func (x *explainer) keyID() (string, []string) {
	const text = "The token does not say properly which key has signed it: kid in its header is "
	kid := x.header.text("kid")
	switch {
	case !x.header.has("kid"):
		return "The token does not say which key has signed it: its header has no kid.", nil
	case x.header.kind("kid") != "a text" || kid == "":
		return text + emptyOr(x.header.kind("kid")) + ".", nil
	case len(kid) > maxKID:
		return fmt.Sprintf("%slonger than %d characters.", text, maxKID), nil
	}
	return text + quoted(kid) + ", with characters that no key ID has.", nil
}

func (x *explainer) wrongClaims() (string, []string) {
	name, ok := errors.AsType[wrongType](x.cause())
	if !ok {
		return "The token names two calling applications: azp and appid differ.", nil
	}
	kind := x.claims.kind(string(name))
	if kind == "a list" {
		kind += " of something else than texts"
		if x.claims.list(string(name)) != nil {
			kind = "a list"
		}
	}
	return fmt.Sprintf("The claim %s of the token has the wrong type: it is %s.", string(name), kind), nil
}
