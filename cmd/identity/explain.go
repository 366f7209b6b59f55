package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/echo-identity/identity"
)

const aboutExplain = `Judges an access token as the API would, by the same code, and says why it is
accepted or refused: the cause in one sentence, what to do about it, and every
check in its order. It asks the network only for the keys that the API itself
would ask for.

TOKEN may be left out: then it is read from standard input or, at a terminal,
asked for. What is typed or pasted there is not shown and gets into no history,
as an argument does. "Bearer", quotation marks and line breaks around or in it
are dropped, and of a token response only the access token is taken.

Exit codes: 0 accepted, 1 refused, 2 the command line or the configuration makes
no sense, 3 it cannot be told, because the key server does not answer.

Examples:
  identity explain -config tenants.json
      asks for the token; the file is your API's configuration

  pbpaste | identity explain -config tenants.json
      the token from the clipboard (xclip -o, wl-paste, Get-Clipboard)

  identity explain -client-id cccccccc-3333-4333-8333-cccccccccccc \
      -tenant aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa < token.txt
      without a file, for one tenant

  identity explain -config tenants.json -json < token.txt | jq -r .cause
      for programs

  curl -s https://login.microsoftonline.com/common/discovery/v2.0/keys > keys
  identity explain -config tenants.json -offline keys < token.txt
      with a key set from a file, on a machine without a network

identity help config describes the file.
`

// explainFlags are the flags of identity explain.
type explainFlags struct {
	config, clientID, cloud string
	tenants                 list
	audiences               list
	caFile, offline         string
	json                    bool
}

func (f *explainFlags) set() *flag.FlagSet {
	flags := flag.NewFlagSet("explain", flag.ContinueOnError)
	flags.StringVar(&f.config, "config", "", "the `file` with the tenants of the API; or, without one:")
	flags.StringVar(&f.clientID, "client-id", "", "the application `ID` of the API")
	flags.Var(&f.tenants, "tenant", "the `ID` of a workforce tenant that the API trusts; may be repeated")
	flags.Var(&f.audiences, "audience", "a further `audience` that the API accepts; may be repeated")
	flags.StringVar(&f.cloud, "cloud", "", "the `cloud` of the tenants: Public (unless set), USGovernment, China, or\nan origin such as https://localhost:8443")
	flags.StringVar(&f.caFile, "ca-file", "", "a `file` of certificate authorities, in PEM, to trust besides the system's")
	flags.StringVar(&f.offline, "offline", "", "take the keys from this `file` (a JWKS) and ask nobody")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	return flags
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// runExplain judges one token.
func runExplain(ctx context.Context, args []string, s streams) error {
	var f explainFlags
	rest, err := parseArgs(f.set(), " [TOKEN]", aboutExplain, args, s.out)
	switch {
	case err != nil:
		return err
	case len(rest) > 1:
		return usagef("there are %d arguments, and one is expected: put a token with blanks in it in quotation marks, or leave it to standard input", len(rest))
	}
	v, done, err := f.verifier()
	if err != nil {
		return usageError{err}
	}
	defer done()
	text, err := readToken(ctx, rest, s)
	if err != nil {
		return err
	}
	token, dropped := bareToken(text)
	if token == "" {
		return usagef("there is no token")
	}
	if len(dropped) > 0 {
		fmt.Fprintf(s.err, "identity explain: left out around the token: %s\n", strings.Join(dropped, ", "))
	}
	report := v.Explain(ctx, token)
	if f.json {
		err = printJSON(s.out, report)
	} else {
		t := terminalOf(s.out, s.env)
		err = report.WriteText(t.repainted(), t.width, t.colours != colours{})
	}
	switch {
	case err != nil:
		return err
	case report.Status >= http.StatusInternalServerError:
		if f.config != "" && f.offline == "" {
			fmt.Fprintf(s.err, "identity explain: identity doctor -config %s says more\n", shellWord(f.config))
		}
		return exitCode(exitUnknown)
	case report.Verdict != identity.Accepted:
		return exitCode(exitFailed)
	}
	return nil
}

// verifier is the API's, without its cache and its log. done lets go of connections.
func (f *explainFlags) verifier() (v *identity.Verifier, done func(), err error) {
	cfg, err := f.configuration()
	if err != nil {
		return nil, nil, err
	}
	client, err := keyClient(f.caFile)
	if err != nil {
		return nil, nil, err
	}
	if f.offline != "" {
		if client, err = offlineClient(f.offline, cfg); err != nil {
			return nil, nil, err
		}
	}
	cfg.Keys.HTTPClient = client
	cfg.TokenCache.MaxBytes = -1
	cfg.Observe = identity.Observe{Logger: slog.New(slog.DiscardHandler)}
	v, err = identity.New(cfg)
	return v, client.CloseIdleConnections, err
}

// configuration is what the flags say the API has.
func (f *explainFlags) configuration() (cfg identity.Config, err error) {
	if f.config != "" {
		if f.clientID != "" || len(f.tenants) > 0 || len(f.audiences) > 0 || f.cloud != "" {
			return cfg, errors.New("-config says all that -client-id, -tenant, -audience and -cloud say: use one or the others")
		}
		c, err := readConfigFile(f.config)
		if err != nil {
			return cfg, err
		}
		return c.Config, nil
	}
	if len(f.tenants) == 0 || f.clientID == "" && len(f.audiences) == 0 {
		return cfg, errors.New("whose token is it to be? Give -config, or -client-id and -tenant")
	}
	cloud, err := cloudOf(f.cloud)
	if err != nil {
		return cfg, fmt.Errorf("-cloud: %w", err)
	}
	var tenants []identity.Tenant
	for _, id := range f.tenants {
		tenants = append(tenants, identity.Tenant{ID: id, Cloud: cloud})
	}
	return identity.Config{ClientID: f.clientID, Audiences: f.audiences, Tenants: identity.NewRegistry(tenants...)}, nil
}
