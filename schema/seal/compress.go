package seal

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding"
	"encoding/binary"
	"hash"
	"sync"
)

// Key is 32 bytes of key material.
type Key [32]byte

// A compressor runs SHA-256 over messages that it pads itself, and reads the result from the hash's exported state. That leaves
// out the copies and the second padding of Sum, which cost as much as the compression itself, and lets HMAC start after its pad
// block. Key derivation is a chain of some thirty one-block messages, so this halves it.
//
// Where the exported state is not what it is taken for (exportsState), the same results come from sha256.Sum256.
type compressor struct {
	hash exportableHash
	buf  []byte // the message, then its padding: whole blocks when compress is called
	out  []byte // the exported state
	sum  Key    // the last result
}

type exportableHash interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// midstate is SHA-256 after one block, which HMAC starts from.
type midstate struct {
	state []byte // as exported; nil if exportsState is false
	block [64]byte
}

const (
	stateSum    = 4   // where the eight state words begin in the exported state
	keptBuffer  = 512 // a pooled compressor keeps a message buffer up to this size
	blockLength = 64
)

var compressors = sync.Pool{New: func() any { return newCompressor() }}

// exportsState says whether this build of crypto/sha256 exports its state as "sha\x03", eight state words, the buffered block and
// the length. Every release of Go so far does.
var exportsState = stateIsExported()

func newCompressor() *compressor {
	c := &compressor{buf: make([]byte, 0, keptBuffer), out: make([]byte, 0, 128)}
	c.hash, _ = sha256.New().(exportableHash)
	return c
}

func stateIsExported() bool {
	c := newCompressor()
	if c.hash == nil {
		return false
	}
	message := []byte("does the exported state hold the sum?")
	c.buf = append(c.buf, message...)
	c.pad(0)
	if _, err := c.hash.Write(c.buf); err != nil {
		return false
	}
	out, err := c.hash.AppendBinary(nil)
	if err != nil || len(out) < stateSum+sha256.Size {
		return false
	}
	return [sha256.Size]byte(out[stateSum:]) == sha256.Sum256(message)
}

func borrow() *compressor { return compressors.Get().(*compressor) }

// release wipes what the compressor saw and gives it back.
func (c *compressor) release() {
	clear(c.buf[:cap(c.buf)])
	clear(c.out[:cap(c.out)])
	c.sum = Key{}
	if cap(c.buf) > keptBuffer {
		return
	}
	compressors.Put(c)
}

var padding = [blockLength]byte{0x80}

// pad ends the message in buf as SHA-256 asks; before is the number of bytes that were compressed ahead of it.
func (c *compressor) pad(before int) {
	total := uint64(before+len(c.buf)) * 8
	zeros := (blockLength + 56 - (len(c.buf)+1)%blockLength) % blockLength
	c.buf = append(c.buf, padding[:1+zeros]...)
	c.buf = binary.BigEndian.AppendUint64(c.buf, total)
}

// compress hashes the padded message in buf, after the block of from if there is one, into sum.
func (c *compressor) compress(from *midstate) {
	if !exportsState {
		c.compressPlainly(from)
		return
	}
	if from == nil {
		c.hash.Reset()
	} else if err := c.hash.UnmarshalBinary(from.state); err != nil {
		panic("seal: crypto/sha256 refuses the state that it exported") // Unreachable: made by newMidstate.
	}
	_, err := c.hash.Write(c.buf)
	if err == nil {
		c.out, err = c.hash.AppendBinary(c.out[:0])
	}
	if err != nil {
		panic("seal: crypto/sha256 does not export its state") // Unreachable: stateIsExported has tried it.
	}
	c.sum = Key(c.out[stateSum:])
}

// compressPlainly gives what compress gives from the documented functions of crypto/sha256 alone.
func (c *compressor) compressPlainly(from *midstate) {
	length := binary.BigEndian.Uint64(c.buf[len(c.buf)-8:]) / 8
	if from == nil {
		c.sum = sha256.Sum256(c.buf[:length])
		return
	}
	whole := append(append(make([]byte, 0, length), from.block[:]...), c.buf[:length-blockLength]...)
	c.sum = sha256.Sum256(whole)
	clear(whole)
}

func newMidstate(block [64]byte) midstate {
	m := midstate{block: block}
	h, ok := sha256.New().(exportableHash)
	if !ok || !exportsState {
		return m
	}
	if _, err := h.Write(block[:]); err != nil {
		panic("seal: crypto/sha256 does not accept a block") // Unreachable: hash.Hash never returns an error.
	}
	state, err := h.AppendBinary(nil)
	if err != nil {
		panic("seal: crypto/sha256 does not export its state") // Unreachable: stateIsExported has tried it.
	}
	m.state = state
	return m
}

func (m *midstate) wipe() {
	clear(m.state)
	clear(m.block[:])
}

// pads is an HMAC-SHA-256 key, ready for many messages.
type pads struct{ inner, outer midstate }

const innerPad, outerPad = 0x36, 0x5c

func padBlock(key *Key, pad byte) (block [64]byte) {
	fill := &innerFill
	if pad == outerPad {
		fill = &outerFill
	}
	block = *fill
	subtle.XORBytes(block[:len(key)], key[:], fill[:len(key)])
	return block
}

var (
	innerFill = [64]byte(bytes.Repeat([]byte{innerPad}, 64))
	outerFill = [64]byte(bytes.Repeat([]byte{outerPad}, 64))
)

func newPads(key *Key) *pads {
	return &pads{inner: newMidstate(padBlock(key, innerPad)), outer: newMidstate(padBlock(key, outerPad))}
}

func (p *pads) wipe() {
	p.inner.wipe()
	p.outer.wipe()
}

// mac replaces the message in buf by its HMAC-SHA-256 under p, in sum.
func (c *compressor) mac(p *pads) {
	c.pad(blockLength)
	c.compress(&p.inner)
	c.buf = append(c.buf[:0], c.sum[:]...)
	c.pad(blockLength)
	c.compress(&p.outer)
}

// expand is HKDF-Expand of 32 bytes: sum becomes HMAC(sum, info ‖ 1).
func (c *compressor) expand(info string) {
	prk := c.sum
	c.keyed(&prk, innerPad)
	c.buf = append(c.buf, info...)
	c.buf = append(c.buf, 1)
	c.pad(0)
	c.compress(nil)
	c.keyed(&prk, outerPad)
	c.buf = append(c.buf, c.sum[:]...)
	c.pad(0)
	c.compress(nil)
	prk = Key{}
}

// keyed starts a message with the pad block of a key that is used once.
func (c *compressor) keyed(key *Key, pad byte) {
	block := padBlock(key, pad)
	c.buf = append(c.buf[:0], block[:]...)
}
