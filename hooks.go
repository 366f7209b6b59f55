package identity

import (
	"fmt"
	"runtime/debug"
)

// panicError is a panic of code that the application gave us: a tenant source, a rule, a transport. It is an internal
// fault (500), and its stack is logged, never sent.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// recovered turns a panic into the error of the function that defers it. It also stands inside shared flights, where a panic
// would end the process.
func recovered(err *error) {
	if value := recover(); value != nil {
		*err = newError(ErrInternal, &panicError{value, debug.Stack()})
	}
}
