package name

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"strings"
	"sync"
)

//go:embed given.txt.gz
var givenList []byte

//go:embed nicknames_en.txt
var nicknamesEN string

//go:embed nicknames_fr.txt
var nicknamesFR string

// givens holds every known given name, and whether it is a common one.
var givens = sync.OnceValue(func() map[string]bool {
	r, err := gzip.NewReader(bytes.NewReader(givenList))
	if err != nil {
		panic("name: embedded list: " + err.Error())
	}
	text, err := io.ReadAll(r)
	if err != nil {
		panic("name: embedded list: " + err.Error())
	}
	m := make(map[string]bool, 10000)
	for line := range strings.Lines(string(text)) {
		word, common := strings.CutSuffix(strings.TrimSpace(line), "*")
		m[word] = common
	}
	for name := range nicknames() {
		if _, ok := m[name[0]]; !ok {
			m[name[0]] = false
		}
	}
	return m
})

// nicknames holds every (name, nickname) in both orders, and pairs of nicknames of one name only if they are the same.
var nicknames = sync.OnceValue(func() map[[2]string]bool {
	m := map[[2]string]bool{}
	for line := range strings.Lines(nicknamesEN + nicknamesFR) {
		words := strings.Fields(line)
		for _, nick := range words[1:] {
			m[[2]string{words[0], nick}] = true
			m[[2]string{nick, words[0]}] = true
		}
	}
	return m
})

// Known says whether a folded word is a known given name.
func Known(folded string) bool {
	_, ok := givens()[folded]
	return ok
}

// common says whether a folded word is one of the commonest given names, which nobody writes by a slip of the hand for another.
func common(folded string) bool { return givens()[folded] }

// IsNickname says whether one folded name is a nickname of the other.
func IsNickname(a, b string) bool { return nicknames()[[2]string{a, b}] }
