package identity_test

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// plainHasher stands in for the key ring: the same shapes, without a key.
type plainHasher struct{}

func (plainHasher) IdentifierHash(kind, value string) (out [16]byte) {
	h := sha256.Sum256([]byte(kind + "\x00" + value))
	copy(out[:], h[:])
	return out
}

func (plainHasher) Public(of schema.PersonaEpoch) identity.NodeID {
	if of.Epoch == 0 {
		return of.Persona
	}
	h := sha256.Sum256(binary.BigEndian.AppendUint32(of.Persona[:], of.Epoch))
	return identity.NodeID(h[:16])
}

// personaOf derives a persona the way package ids does: from source, trust, kind and account.
func personaOf(source string, trust schema.Trust, a schema.Account) (id schema.PersonaID) {
	h := sha256.Sum256([]byte(source + "\x00" + trust.String() + "\x00" + a.Kind + "\x00" + a.Value))
	copy(id[:], h[:])
	return id
}
