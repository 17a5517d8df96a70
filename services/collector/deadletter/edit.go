package deadletter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// Edit changes one member of a payload. A path names members one inside the other, parted by dots; a number names a place in a list.
type Edit struct {
	Op    string          `json:"op"` // set, remove, rename
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value,omitempty"` // of set
	To    string          `json:"to,omitempty"`    // of rename: the path that it moves to
}

// Apply changes a payload, which must be JSON. Numbers stay as they are written. What is removed or renamed may be missing: the same edits may be made of
// many letters.
func Apply(payload []byte, edits []Edit) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var root any
	if err := decoder.Decode(&root); err != nil {
		return nil, invalidEdit("the letter is no JSON, so its members cannot be changed", "give the whole payload instead")
	}
	for _, e := range edits {
		path, err := pathOf(e.Path)
		if err != nil {
			return nil, err
		}
		switch e.Op {
		case "set":
			decoder := json.NewDecoder(bytes.NewReader(e.Value))
			decoder.UseNumber()
			var value any
			if err := decoder.Decode(&value); err != nil {
				return nil, invalidEdit("the value of "+e.Path+" is no JSON", "write a text in quotes")
			}
			if root, err = put(root, path, value); err != nil {
				return nil, err
			}
		case "remove":
			root, _, _ = take(root, path)
		case "rename":
			to, err := pathOf(e.To)
			if err != nil {
				return nil, err
			}
			var value any
			var found bool
			if root, value, found = take(root, path); found {
				if root, err = put(root, to, value); err != nil {
					return nil, err
				}
			}
		default:
			return nil, invalidEdit("there is no such edit", "take set, remove or rename")
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(root); err != nil {
		return nil, err
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

func invalidEdit(reason, hint string) error { return schema.Refuse("edit_invalid", reason, hint) }

func pathOf(text string) ([]string, error) {
	path := strings.Split(text, ".")
	for _, name := range path {
		if name == "" {
			return nil, invalidEdit("a path names members parted by dots", "such as traits.email")
		}
	}
	return path, nil
}

// put sets a member, and makes the objects that it stands in.
func put(node any, path []string, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	switch n := node.(type) {
	case nil:
		inner, err := put(nil, path[1:], value)
		return map[string]any{path[0]: inner}, err
	case map[string]any:
		inner, err := put(n[path[0]], path[1:], value)
		n[path[0]] = inner
		return n, err
	case []any:
		at, ok := place(path[0], len(n))
		if !ok {
			return n, invalidEdit(fmt.Sprintf("%s is no place in a list of %d", path[0], len(n)), "places count from 0")
		}
		inner, err := put(n[at], path[1:], value)
		n[at] = inner
		return n, err
	}
	return node, invalidEdit("what "+path[0]+" would be a member of is no object", "set that first")
}

// take removes a member and gives it.
func take(node any, path []string) (rest, value any, found bool) {
	switch n := node.(type) {
	case map[string]any:
		inner, known := n[path[0]]
		if !known {
			return n, nil, false
		}
		if len(path) == 1 {
			delete(n, path[0])
			return n, inner, true
		}
		n[path[0]], value, found = take(inner, path[1:])
		return n, value, found
	case []any:
		at, ok := place(path[0], len(n))
		if !ok {
			return n, nil, false
		}
		if len(path) == 1 {
			value = n[at]
			return append(n[:at:at], n[at+1:]...), value, true
		}
		n[at], value, found = take(n[at], path[1:])
		return n, value, found
	}
	return node, nil, false
}

func place(name string, length int) (at int, ok bool) {
	if _, err := fmt.Sscanf(name, "%d", &at); err != nil || fmt.Sprint(at) != name {
		return 0, false
	}
	return at, at >= 0 && at < length
}
