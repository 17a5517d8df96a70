package seal

import (
	"encoding/binary"
	"sync"

	"github.com/dossier-cdp/dossier/schema"
)

const (
	cacheWays   = 8    // places that one persona and epoch may fall into
	cacheSets   = 2048 // so 16,384 keys, 1.3 MiB when in use, and at most as many ciphers of 1.3 kB
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
	made [cacheWays]*Cipher // of an event key that was asked for as one
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

// find gives the place of a key, −1 if it is not there.
func (set *cacheSet) find(name cacheName) int {
	tag := name.tag()
	for i := range set.tag {
		if set.tag[i] == tag && set.name[i] == name {
			set.used[i] = true
			return i
		}
	}
	return -1
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
	if at := set.find(cacheName{of, slot}); at >= 0 {
		return set.key[at], true, false
	}
	if at := set.find(cacheName{of, leafSlot}); at >= 0 {
		return set.key[at], false, true
	}
	return Key{}, false, false
}

// cipher finds the cipher of an event key, nil if none is kept.
func (k *keyCache) cipher(of schema.PersonaEpoch, slot uint32) *Cipher {
	s, n := place(&of)
	shard := &k.shards[s]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sets == nil {
		return nil
	}
	set := &shard.sets[n]
	if at := set.find(cacheName{of, slot}); at >= 0 {
		return set.made[at]
	}
	return nil
}

// keep keeps the cipher of an event key as long as the key.
func (k *keyCache) keep(of schema.PersonaEpoch, slot uint32, c *Cipher) {
	s, n := place(&of)
	shard := &k.shards[s]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sets == nil {
		return
	}
	set := &shard.sets[n]
	if at := set.find(cacheName{of, slot}); at >= 0 {
		set.made[at] = c
	}
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
	if set.find(name) >= 0 {
		return // another goroutine was first
	}
	for set.used[set.hand] {
		set.used[set.hand] = false
		set.hand = (set.hand + 1) % cacheWays
	}
	set.tag[set.hand], set.name[set.hand], set.key[set.hand], set.made[set.hand] = name.tag(), name, *key, nil
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

// forget lets go of all ciphers, and keeps the keys.
func (k *keyCache) forget() {
	for s := range k.shards {
		shard := &k.shards[s]
		shard.mu.Lock()
		if shard.sets != nil {
			for n := range shard.sets {
				shard.sets[n].made = [cacheWays]*Cipher{}
			}
		}
		shard.mu.Unlock()
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
			set.tag[i], set.used[i], set.name[i], set.key[i], set.made[i] = 0, false, cacheName{}, Key{}, nil
		}
	}
}
