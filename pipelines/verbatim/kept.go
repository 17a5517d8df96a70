package verbatim

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/dossier-cdp/dossier/schema"
)

// Kept is what is kept of a reading beside the event: everything but the text. It is read-only once made.
type Kept struct {
	Language    Language
	Polarity    Polarity
	Confidence  uint16 // of the polarity, in thousandths
	Unsure      bool
	Truncated   bool
	Act         Act
	Emotion     Emotion
	Criticality Criticality
	Themes      []KeptTheme // surest first
	Reasons     []Reason    // gravest first, one per code
	Model       string      // the version of model and themes that read it
}

// KeptTheme is one theme of a text.
type KeptTheme struct {
	ID         string
	Polarity   Polarity // of the clause that speaks of it
	Confidence uint16   // in thousandths; 1000 where a keyword rule found it
	Rule       bool
}

// Speaks says whether the text of an event is a customer's word: what customers write, what they comment in surveys and reviews, publish, and what is
// noted of their calls.
func Speaks(e *schema.Event) bool {
	if e.Text == "" {
		return false
	}
	switch e.Type {
	case schema.TypeMessageReceived, schema.TypeSurveyAnswered, schema.TypeReviewPublished, schema.TypeMentionPublished, schema.TypeMentionEngaged,
		schema.TypeCaseOpened, schema.TypeCaseReopened:
		return e.Actor == schema.ActorCustomer
	case schema.TypeCallOffered, schema.TypeCallQueued, schema.TypeCallAnswered, schema.TypeCallHeld, schema.TypeCallTransferred, schema.TypeCallAbandoned, schema.TypeCallEnded:
		return true
	case schema.TypeNoteAdded:
		return e.Channel == schema.ChannelPhone
	}
	return false
}

// Keep gives what is kept of a reading. It shares nothing with it.
func (r *Reading) Keep(version string) *Kept {
	k := &Kept{
		Language: r.Language, Polarity: r.Polarity, Confidence: thousandths(r.Confidence), Unsure: r.Unsure, Truncated: r.Truncated,
		Act: r.Act, Emotion: r.Emotion, Criticality: r.Criticality, Reasons: append([]Reason(nil), r.Reasons...), Model: version,
	}
	for _, t := range r.Themes {
		k.Themes = append(k.Themes, KeptTheme{t.ID, t.Polarity, thousandths(t.Confidence), t.Rule})
	}
	return k
}

func thousandths(share float32) uint16 {
	return uint16(math.Round(1000 * float64(max(0, min(1, share)))))
}

// ThemeIDs are the ids of the themes, surest first.
func (k *Kept) ThemeIDs() []string {
	ids := make([]string, len(k.Themes))
	for i, t := range k.Themes {
		ids[i] = t.ID
	}
	return ids
}

// Stored form of a Kept: version(1) = 1, language, polarity, act, emotion, criticality, flags (1 byte each), confidence (uvarint), model (text), the
// number of themes and for each id (text), polarity, rule (1 byte each), confidence (uvarint), the number of reasons and for each code and words (texts).
// A number is a uvarint, a text its length and its bytes.
const (
	keptVersion   = 1
	keptUnsure    = 1
	keptTruncated = 2
)

// AppendKept encodes what is kept of a reading.
func AppendKept(dst []byte, k *Kept) []byte {
	flags := byte(0)
	if k.Unsure {
		flags |= keptUnsure
	}
	if k.Truncated {
		flags |= keptTruncated
	}
	text := func(s string) {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	dst = append(dst, keptVersion, byte(k.Language), byte(k.Polarity), byte(k.Act), byte(k.Emotion), byte(k.Criticality), flags)
	dst = binary.AppendUvarint(dst, uint64(k.Confidence))
	text(k.Model)
	dst = binary.AppendUvarint(dst, uint64(len(k.Themes)))
	for _, t := range k.Themes {
		rule := byte(0)
		if t.Rule {
			rule = 1
		}
		text(t.ID)
		dst = append(dst, byte(t.Polarity), rule)
		dst = binary.AppendUvarint(dst, uint64(t.Confidence))
	}
	dst = binary.AppendUvarint(dst, uint64(len(k.Reasons)))
	for _, r := range k.Reasons {
		text(r.Code)
		text(r.Words)
	}
	return dst
}

// ErrKept is a stored reading that is damaged, or of a later release.
var ErrKept = errors.New("a stored reading cannot be read")

// ReadKept decodes what AppendKept wrote.
func ReadKept(b []byte) (*Kept, error) {
	r := keptReader{b: b}
	if r.byte() != keptVersion {
		return nil, ErrKept
	}
	k := &Kept{Language: Language(r.byte()), Polarity: Polarity(r.byte()), Act: Act(r.byte()), Emotion: Emotion(r.byte()), Criticality: Criticality(r.byte())}
	flags := r.byte()
	k.Unsure, k.Truncated = flags&keptUnsure != 0, flags&keptTruncated != 0
	k.Confidence, k.Model = uint16(r.number(1000)), r.text()
	for range r.number(maxThemesKept) {
		t := KeptTheme{ID: r.text(), Polarity: Polarity(r.byte()), Rule: r.byte() != 0}
		t.Confidence = uint16(r.number(1000))
		k.Themes = append(k.Themes, t)
	}
	for range r.number(maxReasonsKept) {
		k.Reasons = append(k.Reasons, Reason{r.text(), r.text()})
	}
	known := (int(k.Language) < languages || k.Language == Unknown) && k.Act <= Praise && k.Emotion <= Joy && k.Criticality <= Critical && k.Polarity.known()
	for _, t := range k.Themes {
		known = known && t.Polarity.known()
	}
	if r.failed || len(r.b) > 0 || !known {
		return nil, ErrKept
	}
	return k, nil
}

func (p Polarity) known() bool { return int(p) < polarities || p == Abstained }

// Bounds of what is kept.
const (
	maxThemesKept  = 64
	maxReasonsKept = 64
)

type keptReader struct {
	b      []byte
	failed bool
}

func (r *keptReader) byte() byte {
	if len(r.b) == 0 {
		r.failed = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *keptReader) number(most uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > most {
		r.failed = true
		r.b = nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *keptReader) text() string {
	n := r.number(1 << 16)
	if n > uint64(len(r.b)) {
		r.failed = true
		r.b = nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
