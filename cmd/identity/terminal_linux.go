package main

import "syscall"

const (
	getTermios    = syscall.TCGETS
	setTermiosNow = syscall.TCSETS
	setTermios    = syscall.TCSETS + 2 // TCSETSF: when all is written, what was not read is thrown away
)
