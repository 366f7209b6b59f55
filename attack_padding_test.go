package identity_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/hex"
	"math/big"

	"github.com/echo-identity/identity"
)

func paddingAttacks() []attackClass { return []attackClass{paddings()} }

// sha256Info is the DigestInfo of SHA-256 up to the digest (RFC 8017 §9.2, note 1).
const sha256Info = "3031300d060960864801650304020105000420"

// encodedMessage is what a signature of a key of 2048 bits hides: a block type, padding, a zero, and DigestInfo with the digest.
func encodedMessage(info string, digest []byte) []byte {
	t := append(must(hex.DecodeString(info)), digest...)
	em := bytes.Repeat([]byte{0xff}, 256)
	em[0], em[1] = 0, 1
	em[255-len(t)] = 0
	copy(em[256-len(t):], t)
	return em
}

// padded is the raw RSA operation on what pad makes of the digest: what a careless verifier would take for a signature, and the
// right key's it is.
func padded(pad func(digest []byte) []byte) func(*siege) string {
	return resigned(func(s *siege, signed string) []byte {
		return rawRSA(s.right.Private(), pad(hashOf(crypto.SHA256, signed)))
	})
}

func rawRSA(key *rsa.PrivateKey, em []byte) []byte {
	return new(big.Int).Exp(new(big.Int).SetBytes(em), key.D, key.N).FillBytes(make([]byte, 256))
}

// paddings: PKCS #1 v1.5 has one encoding of a digest. A verifier that parses what it finds, instead of comparing it with what must
// be there, is forged under small exponents, and says yes to the following under any.
func paddings() attackClass {
	const parsers = "RFC 8017 §8.2.2: compare, do not parse; Bleichenbacher, CRYPTO 2006 rump session; CVE-2006-4339"
	class := attackClass{
		name: "PKCS #1 v1.5 paddings", source: parsers,
		good: []attack{{name: "the one encoding, by hand", token: padded(func(d []byte) []byte { return encodedMessage(sha256Info, d) })}},
	}
	add := func(name, source string, pad func(digest []byte) []byte) {
		class.attacks = append(class.attacks, attack{name, source, identity.ErrSignature, padded(pad)})
	}
	// info is the right padding around another DigestInfo; what suffix says stands behind it.
	info := func(name, source, prefix, suffix string) {
		add(name, source, func(d []byte) []byte {
			return encodedMessage(prefix, append(d[:len(d):len(d)], must(hex.DecodeString(suffix))...))
		})
	}
	// edit changes bytes of the right encoding.
	edit := func(name, source string, change func(em []byte)) {
		add(name, source, func(d []byte) []byte {
			em := encodedMessage(sha256Info, d)
			change(em)
			return em
		})
	}
	// early ends the padding after n bytes, so that there is room behind the digest.
	early := func(name, source string, n int, garbage byte) {
		add(name, source, func(d []byte) []byte {
			em := bytes.Repeat([]byte{garbage}, 256)
			t := append(must(hex.DecodeString(sha256Info)), d...)
			copy(em, append(append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, n)...), append([]byte{0}, t...)...))
			return em
		})
	}
	early("garbage behind the digest", "CVE-2006-4339; CVE-2022-24772", 8, 0x5a)
	early("zeros behind the digest", "CVE-2006-4339; CVE-2022-24772", 8, 0)
	early("padding that fills behind the digest", "CVE-2006-4339", 8, 0xff)
	early("garbage behind, and no padding at all", "CVE-2006-4340; CVE-2018-15836", 0, 0x5a)
	early("garbage behind, and one byte of padding", "CVE-2018-15836", 1, 0x5a)
	early("garbage behind, and seven bytes of padding", "RFC 8017 §9.2: at least eight", 7, 0x5a)
	early("one byte behind the digest", "CVE-2022-24772", 201, 0x5a)

	info("no NULL behind the algorithm", "RFC 8017 §9.2 note 2; CVE-2022-24773", "302f300b06096086480165030402010420", "")
	info("two NULLs behind the algorithm", "CVE-2018-16152", "3033300f0609608648016503040201050005000420", "")
	info("a NULL of one byte", "CVE-2018-16152", "3032300e06096086480165030402010501000420", "")
	info("an octet string for the NULL", "CVE-2006-4790; CVE-2018-16152", "3035301106096086480165030402010404deadbeef0420", "")
	info("garbage within the parameters", "CVE-2006-4790; CVE-2018-16152", "30513010060960864801650304020105000301000420", "")
	info("an algorithm identifier with more in it", "CVE-2018-16151; CVE-2022-24771", "3033300f0609608648016503040201050000000420", "")
	info("a length of the sequence in two bytes", "CVE-2014-1568 (BERserk)", "308131300d060960864801650304020105000420", "")
	info("a length of the sequence in three bytes", "CVE-2014-1568 (BERserk)", "30820031300d060960864801650304020105000420", "")
	info("a length of the digest in two bytes", "CVE-2014-1568 (BERserk)", "3032300d06096086480165030402010500048120", "")
	info("a length of the NULL in two bytes", "CVE-2014-1568 (BERserk)", "3032300e06096086480165030402010581000420", "")
	info("an indefinite length", "CVE-2014-1568; X.690 §8.1.3.6", "3080300d060960864801650304020105000420", "0000")
	info("a sequence that is too short", "CVE-2022-24773", "3030300d060960864801650304020105000420", "")
	info("a sequence that is too long", "CVE-2022-24773", "3032300d060960864801650304020105000420", "")
	info("a set for the sequence", "CVE-2022-24773", "3131300d060960864801650304020105000420", "")
	info("a bit string for the digest", "CVE-2022-24773", "3032300d06096086480165030402010500032100", "")
	info("another element behind the digest", "CVE-2022-24772", "3033300d060960864801650304020105000420", "0500")
	info("the OID of SHA-1", "RFC 8017 §9.2", "302d300906052b0e03021a05000420", "")
	info("the OID of SHA-384", "RFC 8017 §9.2", "3031300d060960864801650304020205000420", "")
	info("the OID of SHA-512", "RFC 8017 §9.2", "3031300d060960864801650304020305000420", "")
	info("the OID of SHA-512/256", "RFC 8017 §9.2", "3031300d060960864801650304020605000420", "")
	info("the OID of MD5", "RFC 6151", "3030300c06082a864886f70d020505000420", "")
	info("the OID of RSA with SHA-256", "RFC 8017 appendix A.2", "3031300d06092a864886f70d01010b05000420", "")
	info("an OID with a leading 0x80", "X.690 §8.19.2", "3032300e060a8060864801650304020105000420", "")
	info("no OID at all", "RFC 8017 §9.2", "30220420", "")
	info("the digest without DigestInfo", "RFC 8017 §9.2", "", "")
	info("the digest as an octet string", "RFC 8017 §9.2", "0420", "")
	info("the digest twice", "RFC 8017 §9.2", sha256Info, hex.EncodeToString(make([]byte, 32)))
	add("a digest of 20 bytes", "RFC 8017 §9.2", func(d []byte) []byte { return encodedMessage("3025300d060960864801650304020105000414", d[:20]) })
	add("a digest of no bytes", "RFC 8017 §9.2", func([]byte) []byte { return encodedMessage("3011300d060960864801650304020105000400", nil) })
	add("a digest of one byte", "RFC 8017 §9.2", func(d []byte) []byte { return encodedMessage("3012300d060960864801650304020105000401", d[:1]) })
	add("a digest backwards", "RFC 8017 §9.2", func(d []byte) []byte {
		reversed := make([]byte, len(d))
		for i, b := range d {
			reversed[len(d)-1-i] = b
		}
		return encodedMessage(sha256Info, reversed)
	})
	add("a digest of zeros", "RFC 8017 §9.2", func([]byte) []byte { return encodedMessage(sha256Info, make([]byte, 32)) })
	add("a digest in hexadecimal", "RFC 8017 §9.2", func(d []byte) []byte {
		return encodedMessage("3051300d060960864801650304020105000440", []byte(hex.EncodeToString(d)))
	})

	edit("block type 0", "RFC 2313 §8.1", func(em []byte) { em[1] = 0 })
	edit("block type 2", "RFC 2313 §8.1", func(em []byte) { em[1] = 2 })
	edit("block type 0 with zeros for padding", "RFC 2313 §8.1", func(em []byte) {
		em[1] = 0
		clear(em[2:204])
	})
	edit("a first byte that is not zero", "RFC 8017 §9.2", func(em []byte) { em[0] = 1 })
	edit("a first byte of padding that is not 255", "RFC 8017 §9.2", func(em []byte) { em[2] = 0xfe })
	edit("a byte amid the padding that is not 255", "RFC 8017 §9.2", func(em []byte) { em[100] = 0x7f })
	edit("a last byte of padding that is not 255", "RFC 8017 §9.2", func(em []byte) { em[203] = 0xfe })
	edit("a zero amid the padding", "RFC 8017 §9.2", func(em []byte) { em[100] = 0 })
	edit("random padding behind eight bytes of 255", "CVE-2016-1494", func(em []byte) {
		for i := 10; i < 204; i++ {
			em[i] = byte(i)
		}
	})
	edit("no zero behind the padding", "RFC 8017 §9.2", func(em []byte) { em[204] = 0xff })
	edit("two zeros behind the padding", "RFC 8017 §9.2", func(em []byte) { em[203] = 0 })
	edit("one bit of DigestInfo flipped", "RFC 8017 §9.2", func(em []byte) { em[206] ^= 1 })
	edit("one bit of the digest flipped", "RFC 8017 §9.2", func(em []byte) { em[255] ^= 1 })
	add("everything shifted by a byte", "RFC 8017 §4.1: an octet string has its length", func(d []byte) []byte {
		return append(encodedMessage(sha256Info, d)[1:], 0)
	})
	return class
}
