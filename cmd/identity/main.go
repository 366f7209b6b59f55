// Identity is the command that goes with the package identity.
//
//	identity explain    why a token is accepted or refused, check by check
//	identity doctor     whether the key servers of a configuration can be reached and make sense
//	identity mockidp    an offline stand-in for Microsoft's identity platform, for tests
//
// identity help COMMAND lists the flags of a command, with examples.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr, os.Getenv}))
}

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	env      func(name string) string
}

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1 // also: the token is refused, the doctor found a problem
	exitUsage   = 2 // the command line or the configuration makes no sense
	exitUnknown = 3 // whether the token is accepted cannot be told
)

// exitCode ends a command that has said all there is to say.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// command is a subcommand. It ends with its context.
type command struct {
	name  string
	does  string
	run   func(ctx context.Context, args []string, s streams) error
	flags func() *flag.FlagSet // for completion; nil if there are none
	words []string             // that it takes, for completion
}

// commands are all of them. It is a function because two of them need the list.
func commands() []command {
	return []command{
		{"explain", "why a token is accepted or refused, check by check", runExplain, new(explainFlags).set, nil},
		{"doctor", "whether the key servers of a configuration can be reached", runDoctor, new(doctorFlags).set, nil},
		{"mockidp", "an offline stand-in for Microsoft's identity platform, for tests", func(ctx context.Context, args []string, s streams) error {
			return runMockIDP(ctx, args, s.out, s.err)
		}, new(mockFlags).set, nil},
		{"completion", "what a shell needs to complete these words", runCompletion, nil, shells},
		{"version", "which version this is", runVersion, nil, nil},
	}
}

// topics are what help tells of besides commands.
var topics = map[string]struct {
	does string
	text func() string
}{"config": {"the file of -config", helpConfig}}

// usageError is the user's mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run dispatches, and says what went wrong.
func run(ctx context.Context, args []string, s streams) int {
	if len(args) == 0 {
		usage(s.err)
		return exitUsage
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		if len(rest) == 0 {
			usage(s.out)
			return exitOK
		}
		if topic, ok := topics[rest[0]]; ok {
			fmt.Fprint(s.out, topic.text())
			return exitOK
		}
		name, rest = rest[0], []string{"-h"}
	case "-version", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name == name {
			return report(c.run(ctx, rest, s), name, s.err)
		}
	}
	fmt.Fprintf(s.err, "identity: unknown command %q\n", name)
	usage(s.err)
	return exitUsage
}

// report makes an exit code of an error.
func report(err error, name string, stderr io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	text := strings.TrimPrefix(err.Error(), name+": ") // of the package of the same name
	fmt.Fprintf(stderr, "identity %s: %s\n", name, text)
	if !errors.As(err, new(usageError)) {
		return exitFailed
	}
	fmt.Fprintf(stderr, "identity help %s lists the flags.\n", name)
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Usage: identity COMMAND [FLAGS]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-11s %s\n", c.name, c.does)
	}
	fmt.Fprint(w, "\nidentity help COMMAND lists the flags of a command, with examples.\n")
	for name, topic := range topics {
		fmt.Fprintf(w, "identity help %s describes %s.\n", name, topic.does)
	}
}

// parse reads the flags of a command that takes no arguments.
func parse(flags *flag.FlagSet, about string, args []string, stdout io.Writer) error {
	rest, err := parseArgs(flags, "", about, args, stdout)
	if err == nil && len(rest) > 0 {
		return usagef("unexpected argument %q", rest[0])
	}
	return err
}

// parseArgs reads the flags of a command, before and between its arguments, and returns those. Help, with what the command is about, goes
// to stdout; everything else is an error of the caller's.
func parseArgs(flags *flag.FlagSet, takes, about string, args []string, stdout io.Writer) (rest []string, err error) {
	flags.SetOutput(io.Discard)
	for {
		switch err := flags.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			none := true
			flags.VisitAll(func(*flag.Flag) { none = false })
			if none {
				fmt.Fprintf(stdout, "Usage: identity %s%s\n\n%s", flags.Name(), takes, about)
				return nil, err
			}
			flags.SetOutput(stdout)
			fmt.Fprintf(stdout, "Usage: identity %s [FLAGS]%s\n\n%s\nFlags:\n", flags.Name(), takes, about)
			flags.PrintDefaults()
			return nil, err
		case err != nil:
			return nil, usageError{err}
		case flags.NArg() == 0:
			return rest, nil
		}
		rest, args = append(rest, flags.Arg(0)), flags.Args()[1:]
	}
}

// runVersion prints what the program was built from.
func runVersion(_ context.Context, args []string, s streams) error {
	if err := parse(flag.NewFlagSet("version", flag.ContinueOnError), "Prints the version, and the Go version it was built with.\n", args, s.out); err != nil {
		return err
	}
	version, goVersion := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version, goVersion = info.Main.Version, info.GoVersion
	}
	_, err := fmt.Fprintf(s.out, "identity %s %s\n", version, goVersion)
	return err
}
