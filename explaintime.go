package identity

import (
	"fmt"
	"time"
)

const clocksAgree = 30 * time.Second // within that, clocks are not at fault

// clock is what is known about this machine's clock. wrong tells that it would explain a refusal if this machine's is ahead (sign 1) or
// behind (-1). The text is empty if nothing is known.
func (x *explainer) clock(sign time.Duration) (text string, wrong bool) {
	if x.keys == nil || x.keys.ClockAhead == nil {
		return "", false // the key server has not told the time yet
	}
	behind := time.Duration(*x.keys.ClockAhead) * time.Second
	if behind < clocksAgree && behind > -clocksAgree {
		return "This machine's clock agrees with the key server's.", false
	}
	side := "behind"
	if behind < 0 {
		side = "ahead of"
	}
	return fmt.Sprintf("This machine's clock was %s %s the key server's when keys were fetched. Set it right (NTP).", durationText(behind), side), behind*sign < 0
}

func (x *explainer) expired() (string, []string) {
	exp := time.Unix(x.c.token.claims.expires.unix, 0)
	late := x.now.Sub(exp)
	text := fmt.Sprintf("The token expired %s ago, at %s.", durationText(late), timeText(exp))
	get := reasonWords[x.err.Reason].advice
	clock, wrong := x.clock(1)
	switch {
	case wrong:
		return text, []string{clock, get}
	case clock != "":
		return text, []string{get, clock}
	}
	return text, nil
}

func (x *explainer) early() (string, []string) {
	name, what := "nbf", "The token is not valid yet: it will be in %s, at %s."
	if x.err.Reason == reasonOf(ErrIssuedInFuture) {
		name, what = "iat", "The token says that it is issued in the future: in %s, at %s."
	}
	at := x.claims.time(name)
	if at == nil {
		return "", nil
	}
	clock, wrong := x.clock(-1)
	text := fmt.Sprintf(what, durationText(at.Sub(x.now)), timeText(*at))
	switch {
	case wrong:
		return text, []string{clock}
	case clock != "":
		return text, append([]string{clock + " So the clock of whoever issued the token is ahead, or somebody has made it up."}, forgery...)
	}
	return text, nil
}

func (x *explainer) wrongTime() (string, []string) {
	if x.cause() == errNbfExp {
		return "The token contradicts itself: it begins to be valid (nbf) after it has expired (exp).", nil
	}
	if !x.claims.has("exp") {
		return "The token would never expire: it has no exp.", nil
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		if !x.claims.has(name) || x.claims.time(name) != nil {
			continue
		}
		switch kind := x.claims.kind(name); {
		case kind != "a number":
			return fmt.Sprintf("The token does not say properly how long it is valid: %s is %s, not a number of seconds.", name, kind), nil
		case x.claims[name][0] == '-':
			return fmt.Sprintf("The token does not say properly how long it is valid: %s is before 1970.", name), nil
		}
		return fmt.Sprintf("The token does not say properly how long it is valid: %s is after the year 9999.", name),
			append([]string{"Times are in seconds since 1970. Milliseconds end up thousands of years ahead."}, forgery...)
	}
	return "", nil
}
