package clickhouse

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/dossier-cdp/dossier/schema"
)

// Params are the values of a statement's {name:Type} parameters: strings, byte slices, numbers, booleans, times,
// schema.Instant (as {name:DateTime64(6)}), 16-byte ids, slices of these, and nil for NULL. They travel beside the text and are never part of it.
//
// They travel in the URL, which servers bound (1 MiB by default): about 25,000 ids in one statement.
type Params map[string]any

// maxParams is the most text that the parameters of one statement may have.
const maxParams = 1 << 20

func (p Params) texts() (driver.Parameters, error) {
	out := make(driver.Parameters, len(p))
	size := 0
	for name, value := range p {
		text, err := parameterText(value)
		if err != nil {
			return nil, schema.Classify(schema.Fatal, fmt.Errorf("parameter %s: %w", name, err))
		}
		out[name] = text
		size += len(text)
	}
	if size > maxParams {
		return nil, schema.Classify(schema.Rejected, fmt.Errorf("the parameters have %d bytes, one statement takes %d", size, maxParams))
	}
	return out, nil
}

// wholeText escapes a value that is the whole parameter: the server reads it as a TSV field.
var wholeText = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`)

// elementText escapes a string within an array: the server reads it as a SQL literal.
var elementText = strings.NewReplacer(`\`, `\\`, "'", `\'`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`)

func parameterText(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return `\N`, nil
	case string:
		return wholeText.Replace(v), nil
	case []byte:
		return wholeText.Replace(string(v)), nil
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.Slice {
		var b strings.Builder
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeElement(&b, v.Index(i).Interface()); err != nil {
				return "", err
			}
		}
		b.WriteByte(']')
		return b.String(), nil
	}
	text, _, err := scalarText(value)
	return text, err
}

func writeElement(b *strings.Builder, value any) error {
	switch v := value.(type) {
	case string:
		b.WriteString("'" + elementText.Replace(v) + "'")
		return nil
	case []byte:
		b.WriteString("'" + elementText.Replace(string(v)) + "'")
		return nil
	}
	text, quoted, err := scalarText(value)
	if err != nil {
		return err
	}
	if quoted {
		text = "'" + text + "'"
	}
	b.WriteString(text)
	return nil
}

// scalarText writes one value that needs no escaping; quoted says whether it needs quotes within an array.
func scalarText(value any) (text string, quoted bool, err error) {
	switch v := value.(type) {
	case schema.Instant:
		return instantText(v.Time()), true, nil
	case time.Time:
		return instantText(v), true, nil
	}
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), false, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), false, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10), false, nil
	case reflect.Float32:
		return strconv.FormatFloat(v.Float(), 'g', -1, 32), false, nil
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64), false, nil
	case reflect.String: // a named string type, such as an enumeration
		return wholeText.Replace(v.String()), true, nil
	case reflect.Array:
		if v.Len() == 16 && v.Type().Elem().Kind() == reflect.Uint8 {
			var id [16]byte
			reflect.Copy(reflect.ValueOf(&id).Elem(), v)
			return idText(id), true, nil
		}
	}
	return "", false, fmt.Errorf("no value of type %T can be sent", value)
}

// instantText is an instant in UTC with six digits. Seconds since 1970 would need no time zone, but servers take four of
// them for a year and drop the sign of -0.5; so every connection sets its session's time zone to UTC instead.
func instantText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000") }

func idText(id [16]byte) string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
