//go:build darwin || dragonfly || freebsd || linux || netbsd

package main

import (
	"os"
	"syscall"
	"unsafe"
)

// terminalSize tells whether f is a terminal, and its columns if it states them.
func terminalSize(f *os.File) (columns int, ok bool) {
	var size struct{ rows, columns, x, y uint16 } // struct winsize
	if control(f, syscall.TIOCGWINSZ, unsafe.Pointer(&size)) != nil {
		return 0, false
	}
	return int(size.columns), true
}

// hideInput makes a terminal pass on what is typed at once and without showing it, until restore, which throws away what nobody has read:
// the rest of a paste must not reach the shell and its history. Line by line, as terminals usually pass it on, a line has a greatest length
// (4,095 bytes on Linux, 1,024 on macOS), and tokens are longer.
func hideInput(f *os.File) (restore func(), err error) {
	var before syscall.Termios
	if err := control(f, getTermios, unsafe.Pointer(&before)); err != nil {
		return nil, err
	}
	hidden := before
	hidden.Lflag &^= syscall.ECHO | syscall.ICANON
	hidden.Lflag |= syscall.ISIG // Ctrl-C ends the program
	hidden.Iflag |= syscall.ICRNL
	hidden.Cc[syscall.VMIN], hidden.Cc[syscall.VTIME] = 1, 0
	if err := control(f, setTermios, unsafe.Pointer(&hidden)); err != nil {
		return nil, err
	}
	return func() { control(f, setTermios, unsafe.Pointer(&before)) }, nil
}

// untilSilence makes reads of a terminal with hidden input end when nothing has come for a fifth of a second.
func untilSilence(f *os.File) error {
	var t syscall.Termios
	if err := control(f, getTermios, unsafe.Pointer(&t)); err != nil {
		return err
	}
	t.Cc[syscall.VMIN], t.Cc[syscall.VTIME] = 0, 2
	return control(f, setTermiosNow, unsafe.Pointer(&t))
}

func control(f *os.File, request uintptr, argument unsafe.Pointer) error {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(argument))
	if errno != 0 {
		return errno
	}
	return nil
}
