package match

// table holds the values of one field that were met, each read once, and the verdicts of their comparisons. It changes only the speed.
type table struct {
	field   *Field
	compare comparison
	weights weights
	names   *names
	ids     map[string]int32
	texts   []string
	made    []any
	called  []*called
	seen    memo
}

func newTable(m *Model, f *Field) *table {
	t := &table{field: f, compare: comparisons[f.Compare], ids: map[string]int32{}}
	if f.Compare == "name" {
		t.names = newNames(m, f)
	} else {
		t.weights = f.weights()
	}
	return t
}

func (t *table) id(text string) int32 {
	id, ok := t.ids[text]
	if ok {
		return id
	}
	id = int32(len(t.texts))
	t.ids[text] = id
	t.texts = append(t.texts, text)
	if t.names != nil {
		t.called = append(t.called, t.names.read(text))
	} else {
		t.made = append(t.made, t.compare.make(&t.weights, text))
	}
	return id
}

func (t *table) weigh(a, b int32) verdict {
	if t.compare.cheap || a == b && t.names == nil {
		return t.compare.level(&t.weights, t.made[a], t.made[b])
	}
	return t.seen.of(a, b, func() verdict {
		if t.names != nil {
			return t.names.compare(t.called[a], t.called[b])
		}
		return t.compare.level(&t.weights, t.made[a], t.made[b])
	})
}
