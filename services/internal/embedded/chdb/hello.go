package chdb

import (
	"strings"

	"github.com/ClickHouse/ch-go/proto"
)

// clickhouse-go opens every connection with this query, decodes the answer at its own protocol revision, and every later
// answer at the revision that it was told. The library writes Native blocks at revision 0 only, so the front answers the
// hello itself and says revision 0; the engine's blocks then pass through unchanged.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

const (
	displayName = "dossier-engine"
	// From this client revision on, a column carries a flag byte: whether its serialization is custom.
	revisionWithCustomSerialization = 54454
)

func isHello(sql string, rq *request) bool {
	return rq.protocol > 0 && rq.format == "Native" && strings.TrimSpace(sql) == helloQuery
}

// helloBlock is the one-row Native block of the hello's answer, at the client's revision.
func helloBlock(revision int, version, timezone string) []byte {
	var b proto.Buffer
	// Block info: not an overflow block, no bucket.
	b.PutUVarInt(1)
	b.PutBool(false)
	b.PutUVarInt(2)
	b.PutInt32(-1)
	b.PutUVarInt(0)
	b.PutUVarInt(4) // columns
	b.PutUVarInt(1) // rows
	column := func(name, kind string) {
		b.PutString(name)
		b.PutString(kind)
		if revision >= revisionWithCustomSerialization {
			b.PutBool(false)
		}
	}
	column("displayName()", "String")
	b.PutString(displayName)
	column("version()", "String")
	b.PutString(version)
	column("revision()", "UInt32")
	b.PutUInt32(0)
	column("timezone()", "String")
	b.PutString(timezone)
	return b.Buf
}
