// Measures fast-jwt and jose as measure.Plan.Compare does in Go: in turns with the raw RSA verification of the same bytes, in processor
// time of the whole process. Reads what to measure on from the file that it is given, and prints JSON.
import { readFileSync } from 'node:fs'
import { createPublicKey, verify } from 'node:crypto'
import { createVerifier } from 'fast-jwt'
import { createLocalJWKSet, jwtVerify } from 'jose'

const { tokens, keySet, keyID, issuers, audience, rounds, turns, turnMillis } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const trusted = new Set(issuers)
const jwk = keySet.keys.find(key => key.kid === keyID)
const key = createPublicKey({ key: jwk, format: 'jwk' })
const material = tokens.map(token => {
  const dot = token.lastIndexOf('.')
  return { signed: Buffer.from(token.slice(0, dot)), signature: Buffer.from(token.slice(dot + 1), 'base64url') }
})

function trust(claims) {
  if (!trusted.has(claims.iss)) throw new Error('the issuer is not trusted')
}

// One key in PEM is what fast-jwt is fastest with: its verifier is synchronous then.
function fastJWT(cache, users = tokens.length) {
  const check = createVerifier({
    key: key.export({ type: 'spki', format: 'pem' }), algorithms: ['RS256'], allowedAud: audience, requiredClaims: ['exp'], cache
  })
  return i => trust(check(tokens[i % users]))
}

function jose() {
  const keys = createLocalJWKSet(keySet)
  return async i => trust((await jwtVerify(tokens[i % tokens.length], keys, { algorithms: ['RS256'], audience, requiredClaims: ['exp'] })).payload)
}

const unit = subject('node:crypto alone', i => {
  const { signed, signature } = material[i % material.length]
  if (!verify('sha256', signed, key, signature)) throw new Error('refused')
})
const subjects = [
  subject('fast-jwt, without its cache', fastJWT(false)),
  subject('fast-jwt, cache, one token', fastJWT(true, 1)),
  subject(`fast-jwt, cache, tokens of ${tokens.length.toLocaleString('en')} users`, fastJWT(2 * tokens.length)),
  subject('jose', jose())
]

function subject(name, run) {
  return { name, run, asynchronous: run.constructor.name === 'AsyncFunction', next: 0, n: 1 }
}

// work does n operations and returns how many microseconds of processor time they took.
async function work(s, n) {
  const begin = process.cpuUsage()
  if (s.asynchronous) for (let i = 0; i < n; i++) await s.run(s.next++)
  else for (let i = 0; i < n; i++) s.run(s.next++)
  const { user, system } = process.cpuUsage(begin)
  return user + system
}

const turn = async s => await work(s, s.n) / s.n

// warmUp goes over all tokens, which fills caches, and finds out how many operations fit into a turn.
async function warmUp(s) {
  await work(s, tokens.length)
  s.n = Math.max(1, Math.round(turnMillis * 1000 * tokens.length / await work(s, tokens.length)))
}

function median(figures) {
  const sorted = figures.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

// The verifiers do refuse.
for (const s of [fastJWT(false), fastJWT(10), jose()]) {
  const good = tokens[0]
  tokens[0] = good.slice(0, -9) + (good.at(-9) === 'A' ? 'B' : 'A') + good.slice(-8)
  let refused = false
  try { await s(0) } catch { refused = true }
  tokens[0] = good
  await s(0)
  if (!refused) throw new Error('a changed signature was accepted')
}

for (const s of [unit, ...subjects]) await warmUp(s)
const measured = subjects.map(() => ({ rounds: [], times: [] }))
for (let round = 0; round < rounds; round++) {
  const own = subjects.map(() => 0), units = subjects.map(() => 0)
  for (let t = 0; t < turns; t++) {
    let before = await turn(unit)
    for (const [i, s] of subjects.entries()) {
      own[i] += await turn(s)
      const after = await turn(unit)
      units[i] += (before + after) / 2
      before = after
    }
  }
  for (const [i, m] of measured.entries()) {
    m.rounds.push(own[i] / units[i])
    m.times.push(own[i] / turns)
  }
}

const version = name => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version
console.log(JSON.stringify({
  node: process.version,
  versions: { 'fast-jwt': version('fast-jwt'), jose: version('jose') },
  costs: subjects.map((s, i) => ({ name: s.name, ratio: median(measured[i].rounds), rounds: measured[i].rounds, micros: median(measured[i].times) }))
}))
