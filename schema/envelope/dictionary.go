package envelope

import (
	"embed"

	"github.com/klauspost/compress/s2"

	"github.com/dossier-cdp/dossier/schema"
)

// Compression comes before sealing, since ciphertext does not compress. Events are small and alike, so nearly all that can be won
// lies in a dictionary of what events have in common: field names, user agents, phrases.
//
// A dictionary file is the bytes that matches may refer to, most valuable last, and nothing else; the payload is an S2 block. Zstandard
// with a dictionary of its own makes payloads no smaller for ten times the CPU; dictionaries/README.md has the figures.
//
//go:embed dictionaries/*.dict
var dictionaryFiles embed.FS

// NewestDictionary is the dictionary that Seal uses. A payload that it does not shorten is sealed as it is, with dictionary 0.
const NewestDictionary = 1

// tinyPayload is what compression is not tried on.
const tinyPayload = 24

type dictionary struct {
	*squeezer
	s2 *s2.Dict
}

var dictionaries = map[uint32]*dictionary{1: readDictionary("dictionaries/1.dict")}

func readDictionary(name string) *dictionary {
	content, err := dictionaryFiles.ReadFile(name)
	if err != nil || len(content) > longestDict {
		panic("the embedded dictionary " + name + " is missing or too long") // Unreachable: a test reads every one.
	}
	return &dictionary{newSqueezer(content), s2.MakeDictManual(content, 0)}
}

// compress squeezes plain into w.squeezed. It says false if that does not pay.
func compress(w *work, plain []byte, version uint32) ([]byte, bool) {
	if len(plain) < tinyPayload {
		return nil, false
	}
	if len(plain) <= longestSqueezed {
		w.squeezed = dictionaries[version].squeeze(w.squeezed[:0], plain)
	} else { // the dictionary would save little; a block without matches in it decodes with it
		w.squeezed = s2.Encode(w.squeezed[:cap(w.squeezed)], plain)
	}
	return w.squeezed, len(w.squeezed) < len(plain)
}

// decompress returns the payload in memory of its own.
func decompress(squeezed []byte, version uint32) ([]byte, error) {
	d := dictionaries[version]
	if d == nil {
		return nil, schema.Refuse(CodeVersion, "the event is compressed with a dictionary of a later version of Dossier", "upgrade, then replay the dead letters")
	}
	length, err := s2.DecodedLen(squeezed)
	if err != nil || length > LargestPlain {
		return nil, damaged("the compressed part of the event is malformed")
	}
	plain, err := d.s2.Decode(make([]byte, length), squeezed)
	if err != nil {
		return nil, damaged("the compressed part of the event is malformed")
	}
	return plain, nil
}
