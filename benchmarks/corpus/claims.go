package corpus

import (
	"fmt"
	"math/rand/v2"

	"github.com/echo-identity/identity/mockidp"
)

// userClaims make the token of one user out of the mock's: what differs between users in Microsoft's tokens differs here, and
// the optional claims are those that APIs usually ask for. Together 22 claims and 1.3 KB.
func userClaims(user int) []mockidp.TokenOption {
	random := rand.New(rand.NewPCG(uint64(user), 0x6964656e74697479))
	given, family := pick(random, givenNames), pick(random, familyNames)
	return []mockidp.TokenOption{
		mockidp.Claim("acct", 0),
		mockidp.Claim("aio", opaque(random, 24)),
		mockidp.Claim("ctry", pick(random, []string{"CH", "DE", "FR", "GB", "IN", "US"})),
		mockidp.Claim("family_name", family),
		mockidp.Claim("given_name", given),
		mockidp.Claim("idtyp", "user"),
		mockidp.Claim("name", given+" "+family),
		mockidp.Claim("oid", guid(random)),
		mockidp.Claim("preferred_username", fmt.Sprintf("%s.%s%d@contoso.example", given, family, user)),
		mockidp.Claim("rh", "0."+opaque(random, 20)+"."),
		mockidp.Claim("sub", opaque(random, 43)),
		mockidp.Claim("uti", opaque(random, 22)),
		mockidp.Scopes(Scope, "Orders.Write"),
	}
}

var (
	givenNames  = []string{"Alice", "Bram", "Chloé", "Dinesh", "Eva", "Farid", "Grace", "Hiro", "Ines", "Jonas", "Katya", "Liang"}
	familyNames = []string{"Almeida", "Baker", "Costa", "Dubois", "Eriksen", "Fischer", "Gupta", "Haddad", "Ivanova", "Jensen", "Müller"}
)

func pick(random *rand.Rand, from []string) string { return from[random.IntN(len(from))] }

// opaque is text such as Microsoft puts into claims that mean nothing to an API.
func opaque(random *rand.Rand, length int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	text := make([]byte, length)
	for i := range text {
		text[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(text)
}
