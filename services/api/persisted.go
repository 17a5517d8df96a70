package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"

	"github.com/dossier-cdp/dossier/graphql"
)

// persisted keeps the documents that clients named by their hash (Apollo's automatic persisted queries), so that a GET stays short. A
// document that is not there is asked for again by the client, so keeping few of them is enough: when the younger half is full, the older
// one is forgotten.
type persisted struct {
	mu             sync.Mutex
	younger, older map[string]string // by hex SHA-256
	bytes          int               // of the younger half
}

// persistedBytes bounds each half.
const persistedBytes = 2 << 20

// The codes and the message that clients of persisted queries know.
const (
	codeNotPersisted    = "PERSISTED_QUERY_NOT_FOUND"
	messageNotPersisted = "PersistedQueryNotFound"
)

func (p *persisted) get(hash string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	document, ok := p.younger[hash]
	if !ok {
		if document, ok = p.older[hash]; ok {
			p.put(hash, document) // what is used stays
		}
	}
	return document, ok
}

// put keeps a document; the caller holds the lock.
func (p *persisted) put(hash, document string) {
	if p.bytes+len(document) > persistedBytes || p.younger == nil {
		p.younger, p.older, p.bytes = map[string]string{}, p.younger, 0
	}
	if _, there := p.younger[hash]; !there {
		p.younger[hash] = document
		p.bytes += len(document)
	}
}

// resolve completes a request that names its document by extensions.persistedQuery, and keeps the document of one that brings both.
func (p *persisted) resolve(query string, extensions map[string]any) (string, error) {
	named, ok := extensions["persistedQuery"].(map[string]any)
	if !ok {
		return query, nil
	}
	hash, _ := named["sha256Hash"].(string)
	hash = strings.ToLower(hash)
	if version, _ := named["version"].(float64); version != 1 || len(hash) != hex.EncodedLen(sha256.Size) {
		return "", bad("extensions.persistedQuery has version 1 and a sha256Hash of 64 hex digits")
	}
	if query == "" {
		document, ok := p.get(hash)
		if !ok {
			return "", &refusal{http.StatusOK, codeNotPersisted, messageNotPersisted, "send the document once beside its hash"}
		}
		return document, nil
	}
	if sum := sha256.Sum256([]byte(query)); hex.EncodeToString(sum[:]) != hash {
		return "", bad("extensions.persistedQuery.sha256Hash is not the SHA-256 of query")
	}
	if len(query) <= graphql.MaxQueryLength {
		p.mu.Lock()
		p.put(hash, query)
		p.mu.Unlock()
	}
	return query, nil
}
