package seal

import (
	"encoding/binary"
	"sync"

	"github.com/dossier-cdp/dossier/schema"
)

const (
	cacheWays   = 8    // places that one persona and epoch may fall into
	cacheSets   = 2048 // so 16,384 keys, 1.2 MiB when in use
	cacheShards = 64
	setsInShard = cacheSets / cacheShards
	leafSlot    = 0 // the slot of a leaf; the secrets of (class, year) have the slots from 1
)

// keyCache keeps the keys last used, leaves and event keys alike. All keys of one persona and epoch fall into one set, so that
// finding either, or dropping all, is one look. A set gives up the key that was not asked for since its hand last passed.
//
// Persona ids are pseudorandom, so their own bits choose the set.
type keyCache struct {
	shards [cacheShards]struct {
		mu   sync.Mutex
		sets *[setsInShard]cacheSet // made at the first put
	}
}

// A cacheSet has its tags together, so that a key which is not there costs one line of memory.
type cacheSet struct {
	tag  [cacheWays]uint32 // of name; 0 for a free place
	used [cacheWays]bool   // asked for since the hand last passed
	hand uint8
	name [cacheWays]cacheName
	key  [cacheWays]Key
}

type cacheName struct {
	schema.PersonaEpoch
	slot uint32
}

func (n *cacheName) tag() uint32 {
	return (binary.BigEndian.Uint32(n.Persona[8:]) + n.slot*0x9e3779b9) | 1
}

func place(of *schema.PersonaEpoch) (shard, set int) {
	h := int(binary.BigEndian.Uint32(of.Persona[12:])+of.Epoch) % cacheSets
	return h % cacheShards, h / cacheShards
}

func (set *cacheSet) find(name cacheName) (key *Key) {
	tag := name.tag()
	for i := range set.tag {
		if set.tag[i] == tag && set.name[i] == name {
			set.used[i] = true
			return &set.key[i]
		}
	}
	return nil
}

// get finds the event key for a slot, else the leaf that it can be derived from.
func (k *keyCache) get(of schema.PersonaEpoch, slot uint32) (key Key, isEvent, isLeaf bool) {
	s, n := place(&of)
	shard := &k.shards[s]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sets == nil {
		return Key{}, false, false
	}
	set := &shard.sets[n]
	if found := set.find(cacheName{of, slot}); found != nil {
		return *found, true, false
	}
	if found := set.find(cacheName{of, leafSlot}); found != nil {
		return *found, false, true
	}
	return Key{}, false, false
}

// put keeps a leaf and an event key made from it.
func (k *keyCache) put(of schema.PersonaEpoch, leaf *Key, slot uint32, key *Key) {
	s, n := place(&of)
	shard := &k.shards[s]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sets == nil {
		shard.sets = new([setsInShard]cacheSet)
	}
	shard.sets[n].put(cacheName{of, leafSlot}, leaf)
	shard.sets[n].put(cacheName{of, slot}, key)
}

func (set *cacheSet) put(name cacheName, key *Key) {
	if set.find(name) != nil {
		return // another goroutine was first
	}
	for set.used[set.hand] {
		set.used[set.hand] = false
		set.hand = (set.hand + 1) % cacheWays
	}
	set.tag[set.hand], set.name[set.hand], set.key[set.hand] = name.tag(), name, *key
	set.hand = (set.hand + 1) % cacheWays
}

// dropPersona overwrites all keys of one persona and epoch.
func (k *keyCache) dropPersona(of schema.PersonaEpoch) {
	s, n := place(&of)
	shard := &k.shards[s]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sets != nil {
		shard.sets[n].drop(func(name *cacheName) bool { return name.PersonaEpoch == of })
	}
}

// dropSlot overwrites all keys under one secret.
func (k *keyCache) dropSlot(slot uint32) {
	k.drop(func(name *cacheName) bool { return name.slot == slot })
}

func (k *keyCache) destroy() { k.drop(func(*cacheName) bool { return true }) }

func (k *keyCache) drop(which func(*cacheName) bool) {
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

func (set *cacheSet) drop(which func(*cacheName) bool) {
	for i := range set.name {
		if set.tag[i] != 0 && which(&set.name[i]) {
			set.tag[i], set.used[i], set.name[i], set.key[i] = 0, false, cacheName{}, Key{}
		}
	}
}
