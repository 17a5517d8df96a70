package rpc

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// codec is CBOR for Connect. Arrays of bytes, such as ids, are byte strings; a nil pointer stays nil.
type codec struct{}

var (
	encoding = must(cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode())
	decoding = must(cbor.DecOptions{MaxArrayElements: 1 << 24, MaxMapPairs: 1 << 20, MaxNestedLevels: 64}.DecMode())
)

func must[T any](mode T, err error) T {
	if err != nil {
		panic(fmt.Errorf("services/internal/rpc: %w", err)) // Unreachable: the options are constants
	}
	return mode
}

func (codec) Name() string                       { return "cbor" }
func (codec) Marshal(v any) ([]byte, error)      { return encoding.Marshal(v) }
func (codec) Unmarshal(b []byte, into any) error { return decoding.Unmarshal(b, into) }
