package verbatim

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"strconv"
	"sync"
)

// Words of feeling, from lists whose licences allow it (lexicon/NOTICE), in folded form.
//
//go:embed lexicon/words.tsv.gz
var wordList []byte

// feeling is what the lists say of a word: whole hundredths from -100 to 100; 0 is no entry.
type feeling struct {
	general  int8 // the list that is translated into every language
	specific int8 // the language's own list
}

type lexicon struct {
	words    [languages]map[string]feeling
	pictures map[string]int8
}

var readLexicon = sync.OnceValue(func() *lexicon {
	l := &lexicon{pictures: map[string]int8{}}
	for i := range l.words {
		l.words[i] = map[string]feeling{}
	}
	z, err := gzip.NewReader(bytes.NewReader(wordList))
	if err != nil {
		panic("verbatim: the embedded word list is damaged: " + err.Error()) // a build without it is no build
	}
	text, err := io.ReadAll(z)
	if err != nil {
		panic("verbatim: the embedded word list is damaged: " + err.Error())
	}
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		f := bytes.Split(line, []byte("\t"))
		if len(f) != 4 {
			continue
		}
		n, err := strconv.Atoi(string(f[3]))
		if err != nil {
			continue
		}
		v := int8(max(-100, min(100, n)))
		if string(f[0]) == "sign" {
			l.pictures[string(f[2])] = v
			continue
		}
		lang, ok := ParseLanguage(string(f[1]))
		if !ok {
			continue
		}
		e := l.words[lang][string(f[2])]
		if string(f[0]) == "afinn" {
			e.general = v
		} else {
			e.specific = v
		}
		l.words[lang][string(f[2])] = e
	}
	return l
})
