package identity

import (
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/schema/seal"
)

// NewHasher gives the keyed hashes and public ids of the workspace whose pseudonym key prf holds.
func NewHasher(prf *seal.PRF) identity.Hasher { return hasher{prf, ids.New(prf)} }

type hasher struct {
	*seal.PRF
	ids *ids.Deriver
}

func (h hasher) Public(of schema.PersonaEpoch) identity.NodeID { return h.ids.Public(of) }
