package main

import "github.com/echo-identity/identity/benchmarks/report"

func (b *bench) writeResults(dir string, sections []report.Section) error { return nil }
