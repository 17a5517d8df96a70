package rpc

import (
	"encoding/json"
	"errors"

	"connectrpc.com/connect"

	"github.com/dossier-cdp/dossier/schema"
)

// Error is what the other side answered instead of a result.
type Error struct {
	Class   schema.ErrorClass `json:"class"`
	Code    string            `json:"code,omitempty"` // what the other side calls it, if it has a name
	Message string            `json:"message"`
	Hint    string            `json:"hint,omitempty"`
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// errorHeader carries an Error as JSON beside Connect's own.
const errorHeader = "Dossier-Error"

// onWire makes what is sent of an error. describe may be nil.
func onWire(err error, describe func(error) *Error) error {
	if e := (*connect.Error)(nil); errors.As(err, &e) {
		return err
	}
	var said *Error
	if describe != nil {
		said = describe(err)
	}
	if said == nil {
		said = &Error{Message: err.Error()}
		if r := (*schema.Refusal)(nil); errors.As(err, &r) {
			said.Code, said.Message, said.Hint = r.Code, r.Reason, r.Hint
		}
	}
	said.Class = schema.ClassOf(err)
	sent := connect.NewError(connect.CodeUnknown, errors.New(said.Message))
	if text, err := json.Marshal(said); err == nil {
		sent.Meta().Set(errorHeader, string(text))
	}
	return sent
}

// received makes of what Connect reports what the other side meant. Whatever is not the other side's own word is transient: the call, or
// its answer, did not arrive.
func received(err error) error {
	if err == nil {
		return nil
	}
	if classed := (*schema.Classed)(nil); errors.As(err, &classed) { // our own: of the certificates
		return classed
	}
	if e := (*connect.Error)(nil); errors.As(err, &e) {
		said := &Error{}
		if text := e.Meta().Get(errorHeader); text != "" && json.Unmarshal([]byte(text), said) == nil {
			return schema.Classify(said.Class, said)
		}
		switch e.Code() {
		case connect.CodeFailedPrecondition, connect.CodeUnauthenticated, connect.CodePermissionDenied: // the version, or a certificate
			return schema.Classify(schema.Fatal, errors.New(e.Message()))
		}
	}
	return schema.Classify(schema.Transient, err)
}
