package main

import (
	"context"
	"flag"
)

type explainFlags struct{}

func (f *explainFlags) set() *flag.FlagSet { return flag.NewFlagSet("explain", flag.ContinueOnError) }

func runExplain(ctx context.Context, args []string, s streams) error { return nil }

var shells = []string{"bash", "zsh", "fish"}

func runCompletion(ctx context.Context, args []string, s streams) error { return nil }
