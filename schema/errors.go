package schema

import (
	"errors"
	"fmt"
)

// ErrorClass is what to do with a failure. Every adapter classes its errors into these three, in one place each.
type ErrorClass uint8

// The classes.
const (
	// Fatal: state unknown. Stop, and recover at the next start. The zero class, so that what nobody classed stops.
	Fatal ErrorClass = iota
	// Transient: it may succeed later. Back off, do not advance.
	Transient
	// Rejected: it never succeeds. Dead letter with the reason, advance.
	Rejected
)

func (c ErrorClass) String() string { return [...]string{"fatal", "transient", "rejected"}[c] }

// Refusal is why an input is rejected: a stable code, the rule in words, and what to do. It never carries a personal value.
type Refusal struct {
	Code   string // snake_case, stable: users and tests rely on it
	Reason string // the rule that was broken
	Hint   string // what to do
}

func (r *Refusal) Error() string {
	if r.Hint == "" {
		return r.Code + ": " + r.Reason
	}
	return r.Code + ": " + r.Reason + "; " + r.Hint
}

// Refuse makes a Refusal.
func Refuse(code, reason, hint string) *Refusal {
	return &Refusal{Code: code, Reason: reason, Hint: hint}
}

// Classed is an error whose class is known.
type Classed struct {
	Class ErrorClass
	Err   error
}

func (c *Classed) Error() string { return c.Err.Error() }

func (c *Classed) Unwrap() error { return c.Err }

// Classify wraps err with its class; nil stays nil.
func Classify(class ErrorClass, err error) error {
	if err == nil {
		return nil
	}
	return &Classed{class, err}
}

// ClassOf finds the class of an error: a Refusal is rejected, a Classed is what it says, everything else is fatal.
func ClassOf(err error) ErrorClass {
	if r := (*Refusal)(nil); errors.As(err, &r) {
		return Rejected
	}
	if c := (*Classed)(nil); errors.As(err, &c) {
		return c.Class
	}
	return Fatal
}

// Hash8 shortens a hash for logs and errors, which name values by kind and hash only.
func Hash8(hash [16]byte) string { return fmt.Sprintf("%x", hash[:4]) }
