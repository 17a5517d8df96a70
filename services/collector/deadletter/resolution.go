package deadletter

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
)

// What may become of a letter.
const (
	ActionReplayed = "replayed" // as it was sent
	ActionRepaired = "repaired" // with another payload
	ActionDropped  = "dropped"  // nobody wants it: it is listed no more, and lives as long as it would have
)

// Resolution is what somebody did about a letter, and what came of it. It is a record of the topic deadletters, beside the letter's:
//
//	byte 0       version: 3
//	4 bytes      length of the clear part, big-endian
//	clear part   JSON, the members of Resolution
//	the rest     of a repair: the payload that was sent instead, sealed under the letter's key with the clear part as additional data. Erasing the letter
//	             takes it along
//
// The record's key is the letter's id. The same resolution may be there twice.
type Resolution struct {
	Letter    string   `json:"letter"`
	Workspace string   `json:"workspace"`
	Action    string   `json:"action"`
	Actor     string   `json:"actor"`
	Reason    string   `json:"reason,omitempty"`
	At        string   `json:"at"`
	Events    []string `json:"events,omitempty"` // ids of what was accepted
	Code      string   `json:"code,omitempty"`   // why it was refused again; empty if it was not
	Edits     []string `json:"edits,omitempty"`  // the paths that were changed, without the values

	clear, sealed []byte // as they are in the log
}

const wireResolution = 3

// Done says whether nothing is left to do about the letter.
func (r *Resolution) Done() bool { return r.Code == "" }

// EncodeResolution makes the record of a resolution. payload is what was sent instead; nil for what was not repaired.
func EncodeResolution(r *Resolution, of *Clear, payload []byte, keys Keys, random io.Reader) (value []byte, err error) {
	ad, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode what became of a dead letter: %w", err)
	}
	value = make([]byte, wireHeader, wireHeader+len(ad)+len(payload)+seal.Overhead)
	value[0] = wireResolution
	binary.BigEndian.PutUint32(value[1:], uint32(len(ad)))
	value = append(value, ad...)
	if payload == nil {
		return value, nil
	}
	key, err := of.Key(keys)
	if err != nil {
		return nil, err
	}
	if value, err = seal.Seal(value, payload, ad, key, random); err != nil {
		return nil, fmt.Errorf("seal the repair of a dead letter: %w", err)
	}
	return value, nil
}

// readResolution reads a record; nil if it is none.
func readResolution(value []byte) *Resolution {
	if len(value) < wireHeader || value[0] != wireResolution {
		return nil
	}
	length := int64(binary.BigEndian.Uint32(value[1:]))
	if length > int64(len(value)-wireHeader) {
		return nil
	}
	r := &Resolution{clear: value[wireHeader : wireHeader+length], sealed: value[wireHeader+length:]}
	if json.Unmarshal(r.clear, r) != nil || r.Letter == "" || r.Action == "" {
		return nil
	}
	return r
}

// Payload opens what was sent instead of the letter; nil if it was sent as it was. It fails with seal.ErrPunched when the letter was erased.
func (r *Resolution) Payload(of *Clear, keys Keys) ([]byte, error) {
	if len(r.sealed) == 0 {
		return nil, nil
	}
	key, err := of.Key(keys)
	if err != nil {
		return nil, err
	}
	return seal.Open(nil, r.sealed, r.clear, key)
}

// Resolutions lists what became of the letters of a workspace, by letter, in the order of the log.
func Resolutions(ctx context.Context, read Reader, workspace string) (map[string][]*Resolution, error) {
	found := map[string][]*Resolution{}
	err := read(ctx, func(r Record) bool {
		if resolution := readResolution(r.Value); resolution != nil && resolution.Workspace == workspace {
			resolution.clear, resolution.sealed = bytes.Clone(resolution.clear), bytes.Clone(resolution.sealed)
			found[resolution.Letter] = append(found[resolution.Letter], resolution)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("list what became of dead letters: %w", err)
	}
	return found, nil
}

// Resolve writes a resolution.
func (b *Box) Resolve(ctx context.Context, r *Resolution, of *Clear, payload []byte) error {
	value, err := EncodeResolution(r, of, payload, b.Keys, b.Random)
	if errors.Is(err, seal.ErrPunched) {
		return schema.Refuse("letter_unknown", "the letter was erased or has expired", "")
	}
	if err != nil {
		return err
	}
	return b.submit(ctx, r.Letter, value)
}
