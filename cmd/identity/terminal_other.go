//go:build !(darwin || dragonfly || freebsd || linux || netbsd)

package main

import (
	"errors"
	"os"
)

// terminalSize tells whether f is a terminal. Its width is not known here.
func terminalSize(f *os.File) (columns int, ok bool) {
	info, err := f.Stat()
	return 0, err == nil && info.Mode()&os.ModeCharDevice != 0
}

func hideInput(*os.File) (restore func(), err error) { return nil, errors.ErrUnsupported }

func untilSilence(*os.File) error { return errors.ErrUnsupported }
