package care

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Stored form, in the role's state store:
//
//	'l' link(16)                         →  cluster(16)
//	'c' cluster(16) event(16)            →  contact (care.AppendContact)
//	'r' cluster(16)                      →  its rows: table(1) id(16) digest(8), …
//	'p' persona(16) cluster(16)          →  nothing: the cluster has contacts of the persona (in any epoch)
//	'm'                                  →  version(1) = 1, rank (uvarint), tables' identity, rules' version and that of what read the texts (uvarint length, bytes each)
//	'b'                                  →  rank (uvarint): the state is being built from nothing since, rows of lower ranks are not deleted yet
//	offsets of the topic                 →  package state
//
// A cluster's id is that of its first link; of several that become one the largest cluster's stays.
var (
	keyMeta     = []byte{'m'}
	keyBuilding = []byte{'b'}
	errDamaged  = schema.Classify(schema.Fatal, errors.New("damaged state of care: delete its folder, it is rebuilt at the next start"))
)

const storeVersion = 1

type clusterID [16]byte

func linkKey(l care.Link) []byte { return append([]byte{'l'}, l[:]...) }

func contactPrefix(c clusterID) []byte { return append([]byte{'c'}, c[:]...) }

func contactKey(c clusterID, id schema.EventID) []byte { return append(contactPrefix(c), id[:]...) }

func rowsKey(c clusterID) []byte { return append([]byte{'r'}, c[:]...) }

func personaPrefix(p schema.PersonaID) []byte { return append([]byte{'p'}, p[:]...) }

func personaKey(p schema.PersonaID, c clusterID) []byte { return append(personaPrefix(p), c[:]...) }

// meta is what the state was made with.
type meta struct {
	rank   uint64
	tables string // identity of the tables that the rows are in
	rules  string // version of the rules that they were folded by
	reads  string // version of what read the texts; empty in states from before
}

func appendMeta(m meta) []byte {
	dst := binary.AppendUvarint([]byte{storeVersion}, m.rank)
	for _, text := range []string{m.tables, m.rules, m.reads} {
		dst = binary.AppendUvarint(dst, uint64(len(text)))
		dst = append(dst, text...)
	}
	return dst
}

func readMeta(b []byte) (m meta, err error) {
	if len(b) == 0 || b[0] != storeVersion {
		return meta{}, errDamaged
	}
	rank, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return meta{}, errDamaged
	}
	m.rank, b = rank, b[1+n:]
	for i, into := range []*string{&m.tables, &m.rules, &m.reads} {
		if i == 2 && len(b) == 0 {
			break
		}
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return meta{}, errDamaged
		}
		*into, b = string(b[n:n+int(length)]), b[n+int(length):]
	}
	return m, nil
}

// written is a row as it was last sent.
type written struct {
	table  byte
	id     schema.EventID
	digest [8]byte
}

const writtenLength = 1 + 16 + 8

func appendWritten(dst []byte, rows []written) []byte {
	for _, r := range rows {
		dst = append(dst, r.table)
		dst = append(dst, r.id[:]...)
		dst = append(dst, r.digest[:]...)
	}
	return dst
}

func readWritten(b []byte) (rows []written, err error) {
	if len(b)%writtenLength != 0 {
		return nil, errDamaged
	}
	for part := range slices.Chunk(b, writtenLength) {
		rows = append(rows, written{part[0], schema.EventID(part[1:17]), [8]byte(part[17:])})
	}
	return rows, nil
}

// loadContacts reads the contacts of a cluster, in order, with their stored form.
func loadContacts(store state.Reader, c clusterID) (contacts []*care.Contact, raw []string, err error) {
	prefix := contactPrefix(c)
	err = store.Scan(prefix, state.After(prefix), func(key, value []byte) error {
		if len(key) != len(prefix)+16 {
			return errDamaged
		}
		text := string(value)
		contact, err := care.ReadContact(schema.EventID(key[len(prefix):]), text)
		if err != nil {
			return err
		}
		var at int
		contacts, at, _ = care.Insert(contacts, &contact)
		raw = slices.Insert(raw, at, text)
		return nil
	})
	return contacts, raw, err
}
