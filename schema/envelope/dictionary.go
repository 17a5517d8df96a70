package envelope

// NewestDictionary is the dictionary that Seal uses.
const NewestDictionary = 0

func compress(w *work, plain []byte, version uint32) ([]byte, bool) { return nil, false }

func decompress(squeezed []byte, version uint32) ([]byte, error) {
	return nil, damaged("the event names a dictionary that this version does not have")
}
