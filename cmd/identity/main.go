// Identity is the command that goes with the package identity.
//
//	identity mockidp    an offline stand-in for Microsoft's identity platform, for tests
//
// identity help mockidp lists the flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // the command line makes no sense
)

// command is a subcommand. It ends with its context.
type command struct {
	name string
	does string
	run  func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

var commands = []command{
	{"mockidp", "an offline stand-in for Microsoft's identity platform, for tests", runMockIDP},
}

// usageError is the user's mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run dispatches, and says what went wrong.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return exitUsage
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		if len(rest) == 0 {
			usage(stdout)
			return exitOK
		}
		name, rest = rest[0], []string{"-h"}
	}
	for _, c := range commands {
		if c.name == name {
			return report(c.run(ctx, rest, stdout, stderr), name, stderr)
		}
	}
	fmt.Fprintf(stderr, "identity: unknown command %q\n", name)
	usage(stderr)
	return exitUsage
}

// report makes an exit code of an error.
func report(err error, name string, stderr io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return exitOK
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
	for _, c := range commands {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.does)
	}
	fmt.Fprint(w, "\nidentity help COMMAND lists the flags of a command.\n")
}

// parse reads the flags of a command. Help, with what the command is about, goes to stdout; everything else is an error of the
// caller's.
func parse(flags *flag.FlagSet, about string, args []string, stdout io.Writer) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stdout)
		fmt.Fprintf(stdout, "Usage: identity %s [FLAGS]\n\n%s\nFlags:\n", flags.Name(), about)
		flags.PrintDefaults()
		return err
	case err != nil:
		return usageError{err}
	case flags.NArg() > 0:
		return usagef("unexpected argument %q", flags.Arg(0))
	}
	return nil
}
