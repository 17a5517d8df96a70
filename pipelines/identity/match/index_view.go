package match

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Maybe is a possible match between two profiles, by their ids in the index.
type Maybe struct {
	A, B   ID // A < B
	Weight Bits
	Worth  int64
	Reason Reason
}

// Queue lists possible matches as of the last Write, those of most worth first, at most limit, after a cursor that it gave before; next is nil at the end. Rows must
// read them in order.
func (x *Index) Queue(after []byte, limit int) (out []Maybe, next []byte, err error) {
	var keys [][]byte
	err = x.rows.Scan([]byte{rowQueue}, func(rest []byte) error {
		if len(rest) != 40 {
			return ErrDamaged
		}
		if after == nil || string(rest) > string(after) {
			keys = append(keys, slices.Clone(rest))
		}
		if len(keys) > limit {
			return errEnough
		}
		return nil
	})
	if err != nil && err != errEnough {
		return nil, nil, err
	}
	if len(keys) > limit {
		keys = keys[:limit]
		next = keys[limit-1]
	}
	for _, k := range keys {
		m := Maybe{A: ID(k[8:24]), B: ID(k[24:]), Worth: int64(^binary.BigEndian.Uint64(k))}
		if r := x.get(append([]byte{rowQueue}, k...)); r != nil {
			m.Weight = Bits(r.signed())
			m.Reason = Reason(r.take(len(r.b)))
			x.check(r)
		}
		out = append(out, m)
	}
	return out, next, x.err
}

// Possible lists the possible matches of the profile that a core is in, as of the last Resolve, those of most worth first.
func (x *Index) Possible(core ID) (out []Maybe, err error) {
	at := x.place(core)
	if at.part.IsZero() || x.err != nil {
		return nil, x.err
	}
	u := x.unit(at.part)
	if u == nil || u.gone {
		x.fail(ErrDamaged)
		return nil, x.err
	}
	for i := range u.possible {
		m := &u.possible[i]
		a, b := u.finals[m.a], u.finals[m.b]
		if a != at.final && b != at.final {
			continue
		}
		if a.Compare(b) > 0 {
			a, b = b, a
		}
		out = append(out, Maybe{a, b, m.weight, m.worth, m.reason})
	}
	slices.SortFunc(out, func(p, q Maybe) int {
		if p.Worth != q.Worth {
			return int(min(max(q.Worth-p.Worth, -1), 1))
		}
		if c := p.A.Compare(q.A); c != 0 {
			return c
		}
		return p.B.Compare(q.B)
	})
	return out, x.err
}

var errEnough = errors.New("enough")
