package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

var errProbe = errors.New("no error has this in it")

// probed walks through an error of the application's. A nil pointer in an interface, whose methods panic, so does it here, where
// recovered stands, and not in whoever handles the refusal.
func probed(err error) error {
	_ = errors.Is(err, errProbe)
	return err
}

// textOf is the text of an error that may be the application's, whose Error method can panic.
func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("an error without a text: its type, %T, panics", err)
		}
	}()
	return err.Error()
}

// guardedHandler is a log handler of the application's. Whether a line can be written must not change an answer, so its panics
// end here, and the line is lost.
type guardedHandler struct{ slog.Handler }

func guardedLogger(l *slog.Logger) *slog.Logger { return slog.New(guardedHandler{l.Handler()}) }

// Enabled asks the handler. One that panics is not asked to write.
func (h guardedHandler) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer func() { _ = recover() }()
	return h.Handler.Enabled(ctx, level)
}

// Handle hands a line to the handler.
func (h guardedHandler) Handle(ctx context.Context, r slog.Record) (err error) {
	defer func() { _ = recover() }()
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the guard.
func (h guardedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return guardedHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the guard.
func (h guardedHandler) WithGroup(name string) slog.Handler {
	return guardedHandler{h.Handler.WithGroup(name)}
}
