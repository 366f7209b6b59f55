package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
)

// mostInput bounds what is read: tokens have at most 64 KiB, and a token response holds several.
const mostInput = 1 << 20

// readToken finds the token: an argument, standard input, or what is typed at a terminal.
func readToken(ctx context.Context, args []string, s streams) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return args[0], nil
	}
	if file, ok := s.in.(*os.File); ok {
		if _, tty := terminalSize(file); tty {
			return prompt(ctx, file, s.err)
		}
	}
	text, err := io.ReadAll(io.LimitReader(s.in, mostInput+1))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	if len(text) > mostInput {
		return "", usagef("standard input is larger than %d bytes: it is no token", mostInput)
	}
	return string(text), nil
}

// prompt asks for the token and does not show it.
func prompt(ctx context.Context, terminal *os.File, w io.Writer) (string, error) {
	restore, err := hideInput(terminal)
	if err != nil {
		return "", usagef("what is typed here cannot be hidden (%w): give the token on standard input, identity explain … < FILE", err)
	}
	defer restore()
	fmt.Fprint(w, "Paste the token and press Enter (it is not shown): ")
	defer fmt.Fprintln(w)
	type typed struct {
		text string
		err  error
	}
	done := make(chan typed, 1)
	go func() {
		text, err := typedLine(terminal)
		done <- typed{text, err}
	}()
	select {
	case t := <-done:
		return t.text, t.err
	case <-ctx.Done(): // Ctrl-C: the program ends, and the read with it
		return "", errors.New("interrupted")
	}
}

const (
	endOfInput = '\x04' // Ctrl-D
	backspace  = '\x7f'
)

// typedLine reads up to Enter, and what a paste of several lines has behind it.
func typedLine(terminal *os.File) (string, error) {
	var text strings.Builder
	buffer := make([]byte, 4096)
	for ended := false; ; {
		n, err := terminal.Read(buffer)
		text.Write(buffer[:n])
		switch {
		case text.Len() > mostInput:
			return "", usagef("that is longer than %d bytes: it is no token", mostInput)
		case ended && (n == 0 || err != nil): // silence
			return edited(text.String()), nil
		case err != nil:
			return "", err
		case n == 0:
			return edited(text.String()), nil
		case !ended && strings.ContainsAny(string(buffer[:n]), "\n\x04"):
			ended = true
			if err := untilSilence(terminal); err != nil {
				return edited(text.String()), nil
			}
		}
	}
}

// edited applies what a terminal does for lines, and drops the marks that it puts around a paste.
func edited(text string) string {
	text = strings.NewReplacer("\x1b[200~", "", "\x1b[201~", "", string(endOfInput), "").Replace(text)
	var out []rune
	for _, r := range text {
		switch {
		case r == backspace || r == '\b':
			out = out[:max(0, len(out)-1)]
		case r == '\x15': // Ctrl-U
			out = nil
		default:
			out = append(out, r)
		}
	}
	return string(out)
}

// bareToken takes a token out of what people copy along with it, and names what that was.
func bareToken(text string) (token string, dropped []string) {
	drop := func(what string) {
		if !slices.Contains(dropped, what) {
			dropped = append(dropped, what)
		}
	}
	token = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if strings.HasPrefix(token, "{") {
		var response struct {
			AccessToken string `json:"access_token"`
			Camel       string `json:"accessToken"` // Azure CLI, MSAL for JavaScript
		}
		if json.Unmarshal([]byte(token), &response) == nil && response.AccessToken+response.Camel != "" {
			token = response.AccessToken
			if token == "" {
				token = response.Camel
			}
			drop("the rest of a token response")
		}
	}
	const quotes = "\"'`“”‘’"
	for before := ""; token != before; {
		before = token
		token = strings.TrimSpace(token)
		quoted := strings.TrimRight(token, ",;") // a line of JSON or of code
		if bare := strings.Trim(quoted, quotes); bare != quoted {
			drop("quotation marks")
			token = bare
		}
		if rest, ok := cutFold(token, "authorization:"); ok {
			drop("the name of the header")
			token = rest
		}
		if rest, ok := cutFold(token, "bearer"); ok && rest != "" && (unicode.IsSpace(rune(rest[0])) || rest[0] == ':') {
			drop("the word Bearer")
			token = strings.TrimPrefix(rest, ":")
		}
	}
	if joined := strings.Join(strings.FieldsFunc(token, func(r rune) bool { return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' }), ""); joined != token {
		drop("blanks and line breaks in it")
		token = joined
	}
	return token, dropped
}

// cutFold is strings.CutPrefix for a prefix in any case.
func cutFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
