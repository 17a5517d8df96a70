package timeline

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/dossier-cdp/dossier/schema"
)

// filter remembers event ids in memory, about 12 bits each. It answers "surely not in the index" for nearly all new events, at a
// fiftieth of the cost of asking the store; for the rest the store is asked. It is a Bloom filter whose bits for one id lie in one
// cache line, in layers of doubling size, since nobody knows how many events will come.
//
// Event ids are the output of a HMAC, so their bytes serve as hashes. All methods may be called from any goroutine; an id whose add
// has returned is never denied.
type filter struct {
	layers atomic.Pointer[[]*filterLayer]
	grow   sync.Mutex
}

type filterLayer struct {
	blocks   [][8]uint64 // of 512 bits
	capacity int64       // ids that it takes
	ids      atomic.Int64
}

const (
	filterBitsPerID  = 12
	filterProbes     = 6
	filterFirstLayer = 1 << 17 // ids; 192 KiB
)

func newFilter() *filter {
	f := &filter{}
	f.layers.Store(&[]*filterLayer{newFilterLayer(filterFirstLayer)})
	return f
}

func newFilterLayer(capacity int64) *filterLayer {
	return &filterLayer{blocks: make([][8]uint64, capacity*filterBitsPerID/512), capacity: capacity}
}

// place finds the block of an id in a layer, and its nine-bit probes, lowest first.
func (l *filterLayer) place(id schema.EventID) (block *[8]uint64, probes uint64) {
	hi, _ := bits.Mul64(binary.BigEndian.Uint64(id[:8]), uint64(len(l.blocks)))
	return &l.blocks[hi], binary.BigEndian.Uint64(id[8:]) & (1<<(9*filterProbes) - 1)
}

// add remembers an id.
func (f *filter) add(id schema.EventID) {
	layers := *f.layers.Load()
	l := layers[len(layers)-1]
	if l.ids.Add(1) > l.capacity {
		f.extend(l)
	}
	block, probes := l.place(id)
	for range filterProbes {
		atomic.OrUint64(&block[probes>>6&7], 1<<(probes&63))
		probes >>= 9
	}
}

// extend puts a layer of twice the size above full, if nobody has done so.
func (f *filter) extend(full *filterLayer) {
	f.grow.Lock()
	defer f.grow.Unlock()
	layers := *f.layers.Load()
	if layers[len(layers)-1] != full {
		return
	}
	longer := append(layers[:len(layers):len(layers)], newFilterLayer(2*full.capacity))
	f.layers.Store(&longer)
}

// may says whether an id may have been added.
func (f *filter) may(id schema.EventID) bool {
	for _, l := range *f.layers.Load() {
		if l.may(id) {
			return true
		}
	}
	return false
}

func (l *filterLayer) may(id schema.EventID) bool {
	block, probes := l.place(id)
	for range filterProbes {
		if atomic.LoadUint64(&block[probes>>6&7])&(1<<(probes&63)) == 0 {
			return false
		}
		probes >>= 9
	}
	return true
}

// bytes is the memory that the filter takes.
func (f *filter) bytes() (n int) {
	for _, l := range *f.layers.Load() {
		n += len(l.blocks) * 64
	}
	return n
}
