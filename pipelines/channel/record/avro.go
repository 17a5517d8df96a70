package record

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/hamba/avro/v2"

	"github.com/dossier-cdp/dossier/schema/canonical"
)

// The bounds of one decoded value.
const (
	maxDepth = 64
	maxJSON  = 8 << 20 // bytes of the JSON that a record becomes
)

var (
	errShort = errors.New("the bytes end before the value does")
	errDeep  = errors.New("it is nested more than 64 deep")
	errLarge = errors.New("it becomes more than 8 MiB of JSON")
)

// avroSchema turns Avro's binary encoding into JSON:
//
//	record, map            object
//	array                  array
//	union                  the value of its branch
//	bytes, fixed           base64
//	decimal                a number with as many decimals as its scale
//	date                   2026-03-01
//	time-…                 15:04:05.999999
//	timestamp-…            RFC 3339 in UTC
//	local-timestamp-…      2026-03-01T15:04:05.999999
//	NaN and infinities     null
type avroSchema struct{ schema avro.Schema }

// newAvro reads a schema. It may name types of the references, of which a later one may name those of an earlier one.
func newAvro(text string, references []Reference) (decoder, error) {
	names := &avro.SchemaCache{}
	for _, r := range references {
		if _, err := avro.ParseWithCache(r.Text, "", names); err != nil {
			return nil, fmt.Errorf("read the Avro schema %s that it refers to: %w", r.Name, err)
		}
	}
	s, err := avro.ParseWithCache(text, "", names)
	if err != nil {
		return nil, fmt.Errorf("read the Avro schema: %w", err)
	}
	return avroSchema{s}, nil
}

func (a avroSchema) json(value []byte) ([]byte, error) {
	d := avroDecoder{in: value}
	if err := d.value(a.schema, 0); err != nil {
		return nil, err
	}
	if len(d.in) > 0 {
		return nil, fmt.Errorf("%d bytes are left behind the value: it was written under another schema", len(d.in))
	}
	return d.out, nil
}

type avroDecoder struct{ in, out []byte }

func (d *avroDecoder) value(s avro.Schema, depth int) error {
	if depth > maxDepth {
		return errDeep
	}
	if len(d.out) > maxJSON {
		return errLarge
	}
	switch s := s.(type) {
	case *avro.RefSchema:
		return d.value(s.Schema(), depth) // a reference refers to a named schema, which is none
	case *avro.NullSchema:
		d.out = append(d.out, "null"...)
		return nil
	case *avro.PrimitiveSchema:
		return d.primitive(s)
	case *avro.RecordSchema:
		return d.record(s, depth)
	case *avro.EnumSchema:
		n, err := d.long()
		if err != nil {
			return err
		}
		symbols := s.Symbols()
		if n < 0 || n >= int64(len(symbols)) {
			return errors.New("an enum has no such symbol")
		}
		d.out = canonical.AppendString(d.out, symbols[n])
		return nil
	case *avro.ArraySchema:
		return d.blocks('[', ']', func() error { return d.value(s.Items(), depth+1) })
	case *avro.MapSchema:
		return d.blocks('{', '}', func() error {
			key, err := d.bytes()
			if err != nil {
				return err
			}
			d.out = append(canonical.AppendString(d.out, string(key)), ':')
			return d.value(s.Values(), depth+1)
		})
	case *avro.UnionSchema:
		n, err := d.long()
		if err != nil {
			return err
		}
		types := s.Types()
		if n < 0 || n >= int64(len(types)) {
			return errors.New("a union has no such branch")
		}
		return d.value(types[n], depth+1)
	case *avro.FixedSchema:
		b, err := d.take(int64(s.Size()))
		if err != nil {
			return err
		}
		d.opaque(b, s.Logical())
		return nil
	}
	return fmt.Errorf("the schema has a type %s that is not read here", s.Type())
}

func (d *avroDecoder) record(s *avro.RecordSchema, depth int) error {
	d.out = append(d.out, '{')
	for i, field := range s.Fields() {
		if i > 0 {
			d.out = append(d.out, ',')
		}
		d.out = append(canonical.AppendString(d.out, field.Name()), ':')
		if err := d.value(field.Type(), depth+1); err != nil {
			return err
		}
	}
	d.out = append(d.out, '}')
	return nil
}

// blocks reads the blocks of an array or a map.
func (d *avroDecoder) blocks(open, shut byte, item func() error) error {
	d.out = append(d.out, open)
	for first := true; ; {
		n, err := d.long()
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if n < 0 { // then the block's size in bytes follows
			if n = -n; n < 0 {
				return errors.New("a block has an impossible count")
			}
			if _, err := d.long(); err != nil {
				return err
			}
		}
		for ; n > 0; n-- {
			if !first {
				d.out = append(d.out, ',')
			}
			first = false
			if len(d.out) > maxJSON { // items may take no bytes at all
				return errLarge
			}
			if err := item(); err != nil {
				return err
			}
		}
	}
	d.out = append(d.out, shut)
	return nil
}

func (d *avroDecoder) primitive(s *avro.PrimitiveSchema) error {
	switch s.Type() {
	case avro.Boolean:
		b, err := d.take(1)
		if err == nil && b[0] > 1 {
			err = errors.New("a boolean is neither 0 nor 1")
		}
		if err != nil {
			return err
		}
		d.out = strconv.AppendBool(d.out, b[0] == 1)
	case avro.Int, avro.Long:
		n, err := d.long()
		if err == nil && s.Type() == avro.Int && (n < math.MinInt32 || n > math.MaxInt32) {
			err = errors.New("an int has more than 32 bits")
		}
		if err != nil {
			return err
		}
		d.integer(n, s.Logical())
	case avro.Float:
		b, err := d.take(4)
		if err != nil {
			return err
		}
		d.float(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32)
	case avro.Double:
		b, err := d.take(8)
		if err != nil {
			return err
		}
		d.float(math.Float64frombits(binary.LittleEndian.Uint64(b)), 64)
	case avro.String:
		b, err := d.bytes()
		if err != nil {
			return err
		}
		d.out = canonical.AppendString(d.out, strings.ToValidUTF8(string(b), "\uFFFD"))
	case avro.Bytes:
		b, err := d.bytes()
		if err != nil {
			return err
		}
		d.opaque(b, s.Logical())
	default:
		return fmt.Errorf("the schema has a type %s that is not read here", s.Type())
	}
	return nil
}

func (d *avroDecoder) float(f float64, bits int) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		d.out = append(d.out, "null"...)
		return
	}
	d.out = strconv.AppendFloat(d.out, f, 'g', -1, bits)
}

// The forms of dates and times.
const (
	formDate      = "2006-01-02"
	formTime      = "15:04:05.999999"
	formTimestamp = "2006-01-02T15:04:05.999999Z07:00"
	formLocal     = "2006-01-02T15:04:05.999999"
)

// integer writes a whole number, or the date or time that it stands for. One outside of the years 1 to 9999 stays a number.
func (d *avroDecoder) integer(n int64, logical avro.LogicalSchema) {
	at, form := time.Time{}, ""
	if logical != nil {
		switch logical.Type() {
		case avro.Date:
			at, form = time.Unix(0, 0).UTC(), formDate
			if n > -1_000_000 && n < 3_000_000 {
				at = at.AddDate(0, 0, int(n))
			} else {
				form = ""
			}
		case avro.TimeMillis:
			at, form = time.UnixMilli(n).UTC(), formTime
		case avro.TimeMicros:
			at, form = time.UnixMicro(n).UTC(), formTime
		case avro.TimestampMillis:
			at, form = time.UnixMilli(n).UTC(), formTimestamp
		case avro.TimestampMicros:
			at, form = time.UnixMicro(n).UTC(), formTimestamp
		case avro.LocalTimestampMillis:
			at, form = time.UnixMilli(n).UTC(), formLocal
		case avro.LocalTimestampMicros:
			at, form = time.UnixMicro(n).UTC(), formLocal
		}
	}
	if form == "" || at.Year() < 1 || at.Year() > 9999 {
		d.out = strconv.AppendInt(d.out, n, 10)
		return
	}
	d.out = append(append(append(d.out, '"'), at.Format(form)...), '"')
}

// opaque writes bytes, or the decimal that they stand for: a big-endian number in two's complement, without its decimals.
func (d *avroDecoder) opaque(b []byte, logical avro.LogicalSchema) {
	decimal, is := logical.(*avro.DecimalLogicalSchema)
	if !is || len(b) == 0 || len(b) > 64 || decimal.Scale() > 200 {
		d.out = append(base64.StdEncoding.AppendEncode(append(d.out, '"'), b), '"')
		return
	}
	n := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	if n.Sign() < 0 {
		d.out = append(d.out, '-')
	}
	digits := n.Abs(n).String()
	scale := decimal.Scale()
	digits = strings.Repeat("0", max(0, scale+1-len(digits))) + digits
	d.out = append(d.out, digits[:len(digits)-scale]...)
	if scale > 0 {
		d.out = append(append(d.out, '.'), digits[len(digits)-scale:]...)
	}
}

func (d *avroDecoder) long() (int64, error) {
	n, length := binary.Varint(d.in)
	if length <= 0 {
		if length < 0 {
			return 0, errors.New("a number has more than 64 bits")
		}
		return 0, errShort
	}
	d.in = d.in[length:]
	return n, nil
}

func (d *avroDecoder) take(n int64) ([]byte, error) {
	if n < 0 || n > int64(len(d.in)) {
		return nil, errShort
	}
	b := d.in[:n]
	d.in = d.in[n:]
	return b, nil
}

func (d *avroDecoder) bytes() ([]byte, error) {
	n, err := d.long()
	if err != nil {
		return nil, err
	}
	return d.take(n)
}
