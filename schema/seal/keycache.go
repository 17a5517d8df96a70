package seal

import (
	"encoding/binary"
	"sync"

	"github.com/dossier-cdp/dossier/schema"
)

const (
	cacheWays   = 8    // places that one persona and epoch may fall into
	cacheSets   = 2048 // so 16,384 keys, 1 MiB when full
	cacheShards = 64
	setsInShard = cacheSets / cacheShards
	leafSlot    = 0 // the slot of a leaf; the secrets of (class, year) have the slots from 1
)

// keyCache keeps the keys last used, leaves and event keys alike. All keys of one persona and epoch fall into one set, so that
// dropping them is one look. A set gives up the key that was not asked for since its hand last passed.
//
// Persona ids are pseudorandom, so their own bits choose the set.
type keyCache struct {
	shards [cacheShards]struct {
		mu   sync.Mutex
		sets *[setsInShard]cacheSet // made at the first put
	}
}

type cacheSet struct {
	hand uint8
	used [cacheWays]bool // asked for since the hand last passed
	name [cacheWays]cacheName
	key  [cacheWays]Key
}

type cacheName struct {
	schema.PersonaEpoch
	slot uint32
	held bool
}

func place(of schema.PersonaEpoch) (shard, set int) {
	h := int(binary.BigEndian.Uint32(of.Persona[12:])+of.Epoch) % cacheSets
	return h % cacheShards, h / cacheShards
}

func (k *keyCache) get(of schema.PersonaEpoch, slot uint32) (Key, bool) {
	s, n := place(of)
	shard := &k.shards[s]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sets == nil {
		return Key{}, false
	}
	set := &shard.sets[n]
	for i := range set.name {
		if name := &set.name[i]; name.slot == slot && name.Persona == of.Persona && name.Epoch == of.Epoch && name.held {
			set.used[i] = true
			return set.key[i], true
		}
	}
	return Key{}, false
}

func (k *keyCache) put(of schema.PersonaEpoch, slot uint32, key *Key) {
	s, n := place(of)
	shard := &k.shards[s]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sets == nil {
		shard.sets = new([setsInShard]cacheSet)
	}
	set := &shard.sets[n]
	name := cacheName{of, slot, true}
	for i := range set.name {
		if set.name[i] == name {
			return // another goroutine was first
		}
	}
	for set.used[set.hand] {
		set.used[set.hand] = false
		set.hand = (set.hand + 1) % cacheWays
	}
	set.name[set.hand], set.key[set.hand] = name, *key
	set.hand = (set.hand + 1) % cacheWays
}

// dropPersona overwrites all keys of one persona and epoch.
func (k *keyCache) dropPersona(of schema.PersonaEpoch) {
	s, n := place(of)
	shard := &k.shards[s]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sets != nil {
		shard.sets[n].drop(func(name cacheName) bool { return name.PersonaEpoch == of })
	}
}

// dropSlot overwrites all keys under one secret.
func (k *keyCache) dropSlot(slot uint32) {
	k.drop(func(name cacheName) bool { return name.slot == slot })
}

func (k *keyCache) destroy() { k.drop(func(cacheName) bool { return true }) }

func (k *keyCache) drop(which func(cacheName) bool) {
	for s := range k.shards {
		shard := &k.shards[s]
		shard.mu.Lock()
		if shard.sets != nil {
			for n := range shard.sets {
				shard.sets[n].drop(which)
			}
		}
		shard.mu.Unlock()
	}
}

func (set *cacheSet) drop(which func(cacheName) bool) {
	for i := range set.name {
		if set.name[i].held && which(set.name[i]) {
			set.name[i], set.key[i], set.used[i] = cacheName{}, Key{}, false
		}
	}
}
