package verbatim

import "math"

// Spaces of features: part of every hash, so they never change.
const (
	spaceWord uint64 = iota + 1
	spacePair
	spaceTriple
	spaceStem
	spaceStemPair
	spaceShared
	spaceMark
	spaceBin
	spaceSkip
)

// negators begin a scope of negation of four words, in their language only.
var negators = [languages]map[string]bool{
	German:     set("nicht kein keine keinen keinem keiner keines nie niemals nichts ohne weder niemand kaum nich"),
	English:    set("not no never nothing nobody none without neither nor hardly barely nowhere dont doesnt didnt isnt wasnt wont cant couldnt wouldnt arent havent hasnt lacks"),
	Spanish:    set("no nunca jamas nada nadie sin ni ningun ninguna ninguno tampoco"),
	French:     set("pas ne n jamais rien aucun aucune sans ni personne guere point nul nulle"),
	Italian:    set("non mai niente nulla nessun nessuna nessuno senza ne neanche"),
	Dutch:      set("niet geen nooit niets niemand zonder noch"),
	Portuguese: set("nao nunca jamais nada ninguem sem nem nenhum nenhuma tampouco"),
}

// intensifiers make what follows stronger; softeners weaker.
var intensifiers = [languages]map[string]bool{
	German:     set("sehr extrem total wirklich absolut besonders so zu viel vollig unglaublich super mega richtig echt"),
	English:    set("very really extremely so too absolutely totally completely incredibly highly super most such truly definitely utterly"),
	Spanish:    set("muy tan demasiado super realmente totalmente extremadamente absolutamente mas tanto mucho"),
	French:     set("tres trop vraiment extremement si tellement super absolument totalement completement hyper particulierement tant fort bien plus"),
	Italian:    set("molto troppo davvero veramente assolutamente estremamente cosi tanto piu super"),
	Dutch:      set("heel erg zeer echt te zo enorm super absoluut helemaal ontzettend"),
	Portuguese: set("muito demais realmente super extremamente tao absolutamente totalmente mais bastante"),
}

var softeners = [languages]map[string]bool{
	German:     set("etwas wenig bisschen ziemlich eher relativ"),
	English:    set("slightly somewhat bit little rather fairly quite kinda relatively"),
	Spanish:    set("poco algo bastante relativamente"),
	French:     set("peu assez plutot legerement moyennement relativement"),
	Italian:    set("poco abbastanza piuttosto leggermente"),
	Dutch:      set("beetje redelijk vrij enigszins tamelijk"),
	Portuguese: set("pouco relativamente razoavelmente"),
}

// contrasts begin the clause that decides.
var contrasts = [languages]map[string]bool{
	German:     set("aber jedoch doch allerdings obwohl sondern"),
	English:    set("but however although though yet except unfortunately"),
	Spanish:    set("pero aunque sino embargo"),
	French:     set("mais cependant pourtant toutefois neanmoins dommage hormis sauf"),
	Italian:    set("ma pero tuttavia purtroppo"),
	Dutch:      set("maar echter helaas hoewel"),
	Portuguese: set("mas porem contudo entretanto embora"),
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	from := 0
	for i := 0; i <= len(words); i++ {
		if i == len(words) || words[i] == ' ' {
			if i > from {
				m[words[from:i]] = true
			}
			from = i + 1
		}
	}
	return m
}

// scope is how many words a negation reaches.
const scope = 4

// seen is a feature of the text that is collected, and where it stands among the items. What another round has left counts as empty, so that nothing is cleared
// between texts.
type seen struct {
	hash  uint64
	round uint32
	at    int32
}

// collect begins a collection.
func (s *scratch) collect() {
	s.items = s.items[:0]
	if s.round++; s.round == 0 {
		clear(s.seen)
		s.round = 1
	}
}

// counted adds a feature once more.
func (s *scratch) counted(h uint64) {
	if 2*len(s.items) >= len(s.seen) {
		s.widen()
	}
	mask := uint64(len(s.seen) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		e := &s.seen[i]
		if e.round != s.round {
			*e = seen{h, s.round, int32(len(s.items))}
			s.items = append(s.items, item{h, 1})
			return
		}
		if e.hash == h {
			s.items[e.at].value++
			return
		}
	}
}

// widen makes room for twice as many features.
func (s *scratch) widen() {
	s.seen, s.round = make([]seen, max(512, 2*len(s.seen))), 1
	mask := uint64(len(s.seen) - 1)
	for at, f := range s.items {
		i := f.hash & mask
		for s.seen[i].round == s.round {
			i = (i + 1) & mask
		}
		s.seen[i] = seen{f.hash, s.round, int32(at)}
	}
}

// collected ends a collection: counts become 1 + ln(count).
func (s *scratch) collected() []item {
	for i, f := range s.items {
		if f.value > 1 {
			s.items[i].value = 1 + float32(math.Log(float64(f.value)))
		}
	}
	return s.items
}

// stemLetters is what is left of a word that stands for its inflections.
const stemLetters = 5

func stem(w []byte) []byte {
	if len(w) > stemLetters {
		return w[:stemLetters]
	}
	return w
}

// wordItems are the features of the polarity model: one to three words in a row, with the scope of negation marked.
func (s *scratch) wordItems(tokens []token, lang Language) []item {
	s.collect()
	base := uint64(lang) << 8
	var one, two, stemBefore uint64
	negated := 0
	for i := range tokens {
		t := &tokens[i]
		neg := uint64(0)
		if negated > 0 && t.kind == word {
			neg = 1 << 16
			negated--
		}
		h := hash(base|neg, t.text)
		s.counted(chain(spaceWord, h))
		if one != 0 {
			s.counted(chain(chain(spacePair, one), h))
			if two != 0 {
				s.counted(chain(chain(chain(spaceTriple, two), one), h))
			}
		}
		st := h
		if t.kind == word {
			st = hash(base|neg|1<<17, stem(t.text))
			s.counted(chain(spaceStem, st))
			s.counted(chain(spaceShared, hash(neg, t.text)))
		}
		if stemBefore != 0 {
			s.counted(chain(chain(spaceStemPair, stemBefore), st))
		}
		stemBefore = st
		one, two = h, one
		if t.edge {
			negated = 0
		}
		if t.kind == word && int(lang) < languages && negators[lang][string(t.text)] {
			negated = scope
		}
	}
	s.counted(chain(spaceMark, base))
	return s.collected()
}

// Places of the dense features.
const (
	denseLists    = 3 // general, specific, both with pictures
	densePerList  = 8
	denseGeneral  = denseLists * densePerList
	denseFeatures = denseGeneral + 14
)

// denseItems are what the lists of feeling say, with negation, intensity and contrast, and how the text is written.
func (s *scratch) denseItems(tokens []token, lang Language, l *lexicon) []float32 {
	if s.dense == nil {
		s.dense = make([]float32, denseFeatures)
	}
	d := s.dense
	clear(d)
	if int(lang) >= languages {
		lang = English
	}
	var sums [denseLists]struct{ pos, neg, n, after, high, low, last, first float32 }
	words := l.words[lang]
	negated, by := 0, float32(1)
	contrast := false
	var count, capitals, bangs, questions, dots, handles, tags, links, pictures, stretched, negations, numbers float32
	note := func(k int, v float32) {
		x := &sums[k]
		x.n++
		if v > 0 {
			x.pos += v
		} else {
			x.neg -= v
		}
		if contrast {
			x.after += v
		}
		x.high, x.low = max(x.high, v), min(x.low, v)
		if x.n == 1 {
			x.first = v
		}
		x.last = v
	}
	for i := range tokens {
		t := &tokens[i]
		switch t.kind {
		case picture:
			pictures++
			if v := l.pictures[string(t.text)]; v != 0 {
				note(2, float32(v)/100)
			}
		case handle:
			handles++
		case link:
			links++
		case number:
			numbers++
		case sign:
			switch t.text[0] {
			case '!':
				bangs += float32(len(t.text))
			case '?':
				questions++
			case '.':
				if t.stretched {
					dots++
				}
			}
			if t.edge {
				negated = 0
			}
		case word, tag:
			if t.kind == tag {
				tags++
			}
			count++
			if t.capitals {
				capitals++
			}
			if t.stretched {
				stretched++
			}
			e, ok := words[string(t.text)]
			if ok {
				m := by
				if negated > 0 {
					m *= -.7
				}
				if t.capitals {
					m *= 1.2
				}
				if e.general != 0 {
					note(0, m*float32(e.general)/100)
				}
				if e.specific != 0 {
					note(1, m*float32(e.specific)/100)
				}
				both := float32(e.general)
				if e.specific != 0 {
					both = float32(e.specific)
				}
				note(2, m*both/100)
			}
			if negated > 0 {
				negated--
			}
			by = 1
			switch {
			case negators[lang][string(t.text)]:
				negated = scope
				negations++
			case intensifiers[lang][string(t.text)]:
				by = 1.5
			case softeners[lang][string(t.text)]:
				by = .6
			}
			if contrasts[lang][string(t.text)] {
				contrast = true
			}
		}
	}
	long := float32(1 / math.Sqrt(float64(count)+3))
	for k := range sums {
		x := &sums[k]
		copy(d[k*densePerList:], []float32{
			squash(x.pos), squash(x.neg), squash(x.pos - x.neg), 3 * (x.pos - x.neg) * long, squash(x.after), x.high, -x.low, x.last,
		})
	}
	bit := func(v float32) float32 { return min(v, 3) / 3 }
	copy(d[denseGeneral:], []float32{
		bit(capitals), bit(bangs), bit(questions), bit(dots), bit(handles), bit(tags), bit(links), bit(pictures), bit(stretched), bit(negations),
		truth(contrast), min(count, 60) / 60, truth(count < 6), bit(numbers),
	})
	return d
}

func squash(v float32) float32 { return float32(math.Tanh(float64(v) * .6)) }

func truth(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

// themeItems are the features of the theme model: words, stems and pairs of them.
func (s *scratch) themeItems(tokens []token, lang Language) []item {
	s.collect()
	base := uint64(lang)<<8 | 1<<20
	var one, stemBefore, stemTwo uint64
	for i := range tokens {
		t := &tokens[i]
		if t.kind == sign || t.kind == link || t.kind == handle {
			if t.edge {
				one, stemBefore, stemTwo = 0, 0, 0
			}
			continue
		}
		h := hash(base, t.text)
		st := hash(base|1<<17, stem(t.text))
		s.counted(chain(spaceWord, h))
		s.counted(chain(spaceStem, st))
		s.counted(chain(spaceShared, hash(1<<20, t.text)))
		if one != 0 {
			s.counted(chain(chain(spacePair, one), h))
			s.counted(chain(chain(spaceStemPair, stemBefore), st))
		}
		if stemTwo != 0 {
			s.counted(chain(chain(spaceSkip, stemTwo), st))
		}
		stemTwo, stemBefore, one = stemBefore, st, h
	}
	s.counted(chain(spaceMark, base))
	return s.collected()
}
