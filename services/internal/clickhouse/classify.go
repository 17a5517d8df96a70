package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"

	"github.com/dossier-cdp/dossier/schema"
)

// Error is a server's exception. It keeps code and name; the server's text only where it speaks of tables and limits, since
// it may quote values otherwise.
type Error struct {
	Code int
	Name string // such as UNKNOWN_TABLE
	Text string // empty when it might quote a value
}

func (e *Error) Error() string {
	name := e.Name
	if name == "" {
		name = "ClickHouse error"
	}
	if e.Text == "" {
		return fmt.Sprintf("%s (code %d)", name, e.Code)
	}
	return fmt.Sprintf("%s (code %d): %s", name, e.Code, e.Text)
}

// codeClass is what a server's code means for the caller. Codes that are not listed are fatal: state unknown.
var codeClass = map[int]schema.ErrorClass{
	// The rows or the values of this statement can never be taken.
	6:   schema.Rejected, // CANNOT_PARSE_TEXT
	26:  schema.Rejected, // CANNOT_PARSE_QUOTED_STRING
	27:  schema.Rejected, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
	36:  schema.Rejected, // BAD_ARGUMENTS
	38:  schema.Rejected, // CANNOT_PARSE_DATE
	41:  schema.Rejected, // CANNOT_PARSE_DATETIME
	43:  schema.Rejected, // ILLEGAL_TYPE_OF_ARGUMENT
	53:  schema.Rejected, // TYPE_MISMATCH
	69:  schema.Rejected, // ARGUMENT_OUT_OF_BOUND
	70:  schema.Rejected, // CANNOT_CONVERT_TYPE
	72:  schema.Rejected, // CANNOT_PARSE_NUMBER
	117: schema.Rejected, // INCORRECT_DATA
	130: schema.Rejected, // CANNOT_READ_ARRAY_FROM_TEXT
	131: schema.Rejected, // TOO_LARGE_STRING_SIZE
	321: schema.Rejected, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
	349: schema.Rejected, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
	376: schema.Rejected, // CANNOT_PARSE_UUID
	407: schema.Rejected, // DECIMAL_OVERFLOW
	457: schema.Rejected, // BAD_QUERY_PARAMETER
	469: schema.Rejected, // VIOLATED_CONSTRAINT
	691: schema.Rejected, // UNKNOWN_ELEMENT_OF_ENUM

	// The server cannot now.
	3:   schema.Transient, // UNEXPECTED_END_OF_FILE
	33:  schema.Transient, // CANNOT_READ_ALL_DATA: the request was cut
	74:  schema.Transient, // CANNOT_READ_FROM_FILE_DESCRIPTOR
	75:  schema.Transient, // CANNOT_WRITE_TO_FILE_DESCRIPTOR
	159: schema.Transient, // TIMEOUT_EXCEEDED
	160: schema.Transient, // TOO_SLOW
	164: schema.Transient, // READONLY
	198: schema.Transient, // DNS_ERROR
	201: schema.Transient, // QUOTA_EXCEEDED
	202: schema.Transient, // TOO_MANY_SIMULTANEOUS_QUERIES
	203: schema.Transient, // NO_FREE_CONNECTION
	209: schema.Transient, // SOCKET_TIMEOUT
	210: schema.Transient, // NETWORK_ERROR
	225: schema.Transient, // NO_ZOOKEEPER
	236: schema.Transient, // ABORTED
	241: schema.Transient, // MEMORY_LIMIT_EXCEEDED
	242: schema.Transient, // TABLE_IS_READ_ONLY
	243: schema.Transient, // NOT_ENOUGH_SPACE
	252: schema.Transient, // TOO_MANY_PARTS
	279: schema.Transient, // ALL_CONNECTION_TRIES_FAILED
	285: schema.Transient, // TOO_FEW_LIVE_REPLICAS
	286: schema.Transient, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
	319: schema.Transient, // UNKNOWN_STATUS_OF_INSERT: the token makes the retry safe
	341: schema.Transient, // UNFINISHED
	373: schema.Transient, // SESSION_IS_LOCKED
	394: schema.Transient, // QUERY_WAS_CANCELLED
	439: schema.Transient, // CANNOT_SCHEDULE_TASK
	499: schema.Transient, // S3_ERROR
	667: schema.Transient, // NOT_INITIALIZED
	692: schema.Transient, // TOO_MANY_MUTATIONS
	999: schema.Transient, // KEEPER_EXCEPTION
}

// speaksOfSchema lists the codes whose text names tables, columns, settings and limits, never a value.
var speaksOfSchema = map[int]bool{
	16: true, 46: true, 47: true, 57: true, 60: true, 62: true, 81: true, 82: true, 115: true, 159: true, 164: true, 202: true,
	241: true, 242: true, 243: true, 252: true, 285: true, 516: true,
}

// Classify decides what to do with an error of the driver, the network or the server.
func Classify(err error) schema.ErrorClass {
	if c := (*schema.Classed)(nil); errors.As(err, &c) {
		return c.Class
	}
	if e := (*driver.Exception)(nil); errors.As(err, &e) {
		return codeClass[int(e.Code)]
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return codeClass[e.Code]
	}
	if e := (*driver.HTTPError)(nil); errors.As(err, &e) {
		// A proxy or a starting server, not ClickHouse itself.
		switch e.StatusCode {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return schema.Transient
		}
		return schema.Fatal
	}
	if isUnencodable(err) {
		return schema.Rejected
	}
	if isConnection(err) {
		return schema.Transient
	}
	return schema.Fatal
}

func isUnencodable(err error) bool {
	var conversion *column.ColumnConverterError
	return errors.Is(err, driver.ErrBatchInvalid) || errors.As(err, &conversion)
}

func isConnection(err error) bool {
	var network net.Error
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, driver.ErrAcquireConnTimeout) || errors.Is(err, driver.ErrConnectionClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.As(err, &network)
}

// failed classes and words an error of the driver: what was done, and the server's code and name. nil stays nil.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	if c := (*schema.Classed)(nil); errors.As(err, &c) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return schema.Classify(Classify(err), fmt.Errorf("%s: %w", doing, scrub(err)))
}

// scrub takes out of an error what may quote a value.
func scrub(err error) error {
	if e := (*driver.Exception)(nil); errors.As(err, &e) {
		clean := &Error{Code: int(e.Code), Name: e.CodeName}
		if speaksOfSchema[clean.Code] {
			clean.Text = e.Message
		}
		return clean
	}
	if e := (*driver.HTTPError)(nil); errors.As(err, &e) {
		return fmt.Errorf("the server answered with HTTP status %d", e.StatusCode)
	}
	if isUnencodable(err) || !isConnection(err) {
		return &opaqueError{err}
	}
	return err
}

// opaqueError keeps an error for errors.Is and errors.As, and shows its type alone: its text may quote a value.
type opaqueError struct{ err error }

func (e *opaqueError) Error() string {
	if conversion := (*column.ColumnConverterError)(nil); errors.As(e.err, &conversion) {
		return fmt.Sprintf("a value of Go type %s does not fit %s", conversion.From, conversion.To)
	}
	inner := e.err
	for next := errors.Unwrap(inner); next != nil; next = errors.Unwrap(inner) {
		inner = next
	}
	return fmt.Sprintf("the driver refused it (%T)", inner)
}

func (e *opaqueError) Unwrap() error { return e.err }
