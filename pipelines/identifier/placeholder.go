package identifier

import "strings"

// words stand where a system had nothing to say.
var words = map[string]bool{
	"-1": true, "null": true, "nil": true, "none": true, "undefined": true, "nan": true, "n/a": true, "na": true, "nc": true, "anonymous": true, "anonyme": true, "guest": true, "invite": true, "unknown": true,
	"inconnu": true, "unbekannt": true, "desconocido": true, "test": true, "true": true, "false": true, "[object object]": true, "not set": true, "(not set)": true, "notset": true, "default": true, "empty": true, "void": true, "xxx": true, "noreply": true,
	"no-reply": true, "nomail": true, "noemail": true, "pasdemail": true, "sansmail": true, "aucun": true, "distinct_id": true, "distinctid": true, "user": true, "id": true, "email": true, "0": true,
}

// placeholder says whether a value stands for no value: zeros and dashes, a known word, the nil UUID.
func placeholder(value string) bool {
	if strings.Trim(value, "0-. ") == "" {
		return true
	}
	if len(value) > 16 {
		return false
	}
	return words[strings.ToLower(value)]
}

// repeated says whether all characters are the same.
func repeated(s string) bool { return s != "" && strings.Trim(s, s[:1]) == "" }
