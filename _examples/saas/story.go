package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// soon is how long a replica may take to hear of a change.
const soon = time.Second

// tell goes through the story, prints each step and what came of it, and returns an error if anything came out otherwise.
func (w *world) tell(ctx context.Context, out io.Writer) error {
	s := &story{w: w, out: out, tokens: make(map[string]string)}
	s.chapter("Before: nobody is connected")
	s.step("Fabrikam's user asks Microsoft for a token", func() (string, error) { return s.noToken(fabrikam.member, "AADSTS65001") })

	s.chapter("On-boarding, each step of it at another replica")
	s.step("a member who is no administrator tries", func() (string, error) { return s.onboardRefused(ctx, fabrikam, fabrikam.member, 403) })
	s.step("Fabrikam's administrator consents and signs in", func() (string, error) { return s.onboard(ctx, fabrikam) })
	s.step("its user's token, at both replicas", func() (string, error) { return s.served(ctx, fabrikam) })
	s.step("Contoso's administrator does the same", func() (string, error) { return s.onboard(ctx, contoso) })
	s.step("its user's token, at both replicas", func() (string, error) { return s.served(ctx, contoso) })

	s.chapter("Isolation")
	s.step("each sees its own orders alone", func() (string, error) { return s.isolated(ctx) })
	s.step("a query that was told no tenant sees nothing", func() (string, error) { return s.untold(ctx) })

	s.chapter("Attacks on the on-boarding")
	s.step("Contoso's administrator claims Fabrikam's tenant", func() (string, error) { return s.claim(ctx) })
	s.step("a member of Fabrikam who is no administrator skips the consent", func() (string, error) { return s.skip(ctx) })
	s.step("an answer is used again", func() (string, error) { return s.replay(ctx) })

	s.chapter("Off-boarding")
	s.step("Fabrikam is removed; the same token, at both replicas", func() (string, error) { return s.remove(ctx) })
	s.step("Contoso is still served", func() (string, error) { return s.served(ctx, contoso) })
	s.step("Fabrikam deletes the enterprise application", func() (string, error) {
		w.idp.RemoveEnterpriseApplication(fabrikam.tenant, serviceID)
		return s.noToken(fabrikam.member, "AADSTS65001")
	})
	if s.wrong > 0 {
		return fmt.Errorf("%d of %d steps came out otherwise", s.wrong, s.steps)
	}
	fmt.Fprintf(out, "\n%d steps, all as they have to be\n", s.steps)
	return nil
}

type story struct {
	w            *world
	out          io.Writer
	steps, wrong int
	tokens       map[string]string // by login
}

func (s *story) chapter(title string) { fmt.Fprintf(s.out, "\n%s\n", title) }

func (s *story) step(what string, do func() (string, error)) {
	s.steps++
	got, err := do()
	if err != nil {
		s.wrong++
		got = "WRONG: " + err.Error()
	}
	fmt.Fprintf(s.out, "  %s\n      %s\n", what, got)
}

// noToken wants Microsoft to refuse.
func (s *story) noToken(login, code string) (string, error) {
	token, err := s.w.demo.token(login)
	if err == nil || token != "" || !strings.Contains(err.Error(), code) {
		return "", fmt.Errorf("got %v, want %s", err, code)
	}
	return "refused: " + code, nil
}

func (s *story) onboard(ctx context.Context, c customer) (string, error) {
	v, err := s.w.newVisitor()
	if err != nil {
		return "", err
	}
	to, _, err := v.toSignIn(ctx, c.name, c.admin)
	if err != nil {
		return "", err
	}
	answer, err := v.atMicrosoft(to, c.admin)
	if err != nil {
		return "", err
	}
	home, page, err := v.open(ctx, answer)
	if err != nil || home != "/" {
		return "", errors.Join(err, fmt.Errorf("signed in: %d", page.Status))
	}
	return fmt.Sprintf("connected, by way of replicas %s", strings.Join(v.replicas, ", ")), nil
}

// onboardRefused tries with somebody whom Microsoft refuses, and wants the page that says so.
func (s *story) onboardRefused(ctx context.Context, c customer, login string, status int) (string, error) {
	v, err := s.w.newVisitor()
	if err != nil {
		return "", err
	}
	page, err := v.begin(ctx, c.name)
	if err != nil {
		return "", err
	}
	answer, err := v.atMicrosoft(page, login)
	if err != nil {
		return "", err
	}
	to, got, err := v.open(ctx, answer)
	if err != nil || to != "" || got.Status != status {
		return "", errors.Join(err, fmt.Errorf("got %d, want %d", got.Status, status))
	}
	return fmt.Sprintf("%d, nothing is connected", got.Status), nil
}

// served waits until both replicas accept the customer's token.
func (s *story) served(ctx context.Context, c customer) (string, error) {
	if s.tokens[c.member] == "" {
		token, err := s.w.demo.token(c.member)
		if err != nil {
			return "", err
		}
		s.tokens[c.member] = token
	}
	took, err := s.until(ctx, s.tokens[c.member], http.StatusOK)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: 200, after %s", strings.Join(replicaNames, " and "), took), nil
}

// until calls the API until every replica answers with the status, and no longer than soon.
func (s *story) until(ctx context.Context, token string, status int) (took time.Duration, err error) {
	began := time.Now()
	agreed := make(map[string]bool)
	for {
		got, err := get(ctx, s.w.url+"/api/orders", token)
		if err != nil {
			return 0, err
		}
		agreed[got.Replica] = got.Status == status
		took = time.Since(began).Round(time.Millisecond)
		switch {
		case agreed[replicaNames[0]] && agreed[replicaNames[1]]:
			return took, nil
		case took > soon:
			return 0, fmt.Errorf("replica %q answers %d after %v, want %d", got.Replica, got.Status, took, status)
		}
	}
}

// get calls the API.
func get(ctx context.Context, address, token string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	return readReply(resp)
}

// isolated compares what the two customers see.
func (s *story) isolated(ctx context.Context) (string, error) {
	var seen []string
	for i, c := range customers {
		got, err := get(ctx, s.w.url+"/api/orders", s.tokens[c.member])
		if err != nil {
			return "", err
		}
		other := customers[1-i]
		if got.Status != http.StatusOK || !strings.Contains(got.Body, c.name) || strings.Contains(got.Body, other.name) {
			return "", fmt.Errorf("%s sees %d %s", c.name, got.Status, got.Body)
		}
		seen = append(seen, got.Short())
	}
	return strings.Join(seen, "\n      "), nil
}

// untold asks the table without telling it for whom.
func (s *story) untold(ctx context.Context) (string, error) {
	var rows int
	if err := s.w.replicas[0].pool.QueryRow(ctx, "SELECT count(*) FROM orders").Scan(&rows); err != nil || rows != 0 {
		return "", errors.Join(err, fmt.Errorf("%d rows", rows))
	}
	return "0 rows", nil
}

// remove cuts Fabrikam off, with a token that both replicas have just accepted.
func (s *story) remove(ctx context.Context) (string, error) {
	token := s.tokens[fabrikam.member]
	if _, err := s.until(ctx, token, http.StatusOK); err != nil {
		return "", err
	}
	v, err := s.w.newVisitor()
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.w.url+"/disconnect", strings.NewReader(url.Values{"tenant": {fabrikam.tenant}}.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if to, got, err := v.send(req); err != nil || to != "/" {
		return "", errors.Join(err, fmt.Errorf("disconnect: %d", got.Status))
	}
	took, err := s.until(ctx, token, http.StatusUnauthorized)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: 401, after %s", strings.Join(replicaNames, " and "), took), nil
}
