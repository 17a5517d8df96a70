package verbatim

import (
	"slices"
	"strings"
)

// Act is what a text does.
type Act uint8

// The speech acts.
const (
	Statement Act = iota
	Question
	Request
	Complaint
	Thanks
	Praise
)

// String is the act's name.
func (a Act) String() string {
	return actNames[a]
}

var actNames = []string{"statement", "question", "request", "complaint", "thanks", "praise"}

// ParseAct reads an act as Act.String gives it.
func ParseAct(s string) (Act, bool) {
	at := slices.Index(actNames, s)
	return Act(at), at >= 0
}

// Emotion is what a text shows of its writer's feeling, by words that name or betray it.
type Emotion uint8

// The emotions.
const (
	NoEmotion Emotion = iota
	Anger
	Anxiety
	Disappointment
	Joy
)

// String is the emotion's name, or nothing.
func (e Emotion) String() string {
	return emotionNames[e]
}

var emotionNames = []string{"", "anger", "anxiety", "disappointment", "joy"}

// ParseEmotion reads an emotion as Emotion.String gives it.
func ParseEmotion(s string) (Emotion, bool) {
	at := slices.Index(emotionNames, s)
	return Emotion(at), at >= 0
}

// Criticality is how soon a person should see a text, whatever its tone.
type Criticality uint8

// The levels. Critical: somebody may come to harm.
const (
	NotCritical Criticality = iota
	Low
	Medium
	High
	Critical
)

// String is the level's name.
func (c Criticality) String() string {
	return criticalities[c]
}

// Reason is why a text is critical.
type Reason struct {
	// Code is safety, vulnerability, legal, publicity, churn, repeat, unanswered or failure.
	Code string
	// Words are the text's own, in folded form: what a rule found. No rule finds names, addresses or numbers of people.
	Words string
}

// ThemeReading is one theme of a text.
type ThemeReading struct {
	ID string
	// Confidence is the model's chance, or 1 where a keyword rule found the theme.
	Confidence float32
	// Rule is set where a keyword rule found the theme.
	Rule bool
	// Polarity is that of the clause that speaks of the theme.
	Polarity Polarity

	label int // of the model, from 1; 0 where only a rule found it
}

// Reading is all that is read in a text. The same text, language hint, model and tree give the same reading.
type Reading struct {
	Language           Language
	LanguageConfidence float32 // 1 where the caller said the language

	// Polarity is the likeliest, Abstained where there is nothing to go by. Shares are the chances of negative, neutral and positive.
	Polarity   Polarity
	Confidence float32
	Shares     [polarities]float32
	// Unsure is set where a person should look: the confidence is below the model's limit, or the rules and the model disagree.
	Unsure bool

	Act         Act
	Emotion     Emotion
	Themes      []ThemeReading // strongest first
	Criticality Criticality
	Reasons     []Reason // gravest first, one per code

	// Truncated is set where a text was longer than what is read: its head and its tail.
	Truncated bool
	// Model is the version that read it.
	Model string
}

// ThemeList is the themes' ids joined by |.
func (r *Reading) ThemeList() string {
	ids := make([]string, len(r.Themes))
	for i, t := range r.Themes {
		ids[i] = t.ID
	}
	return strings.Join(ids, "|")
}

// ReasonList is the reasons, each with the words that gave it, joined by |.
func (r *Reading) ReasonList() string {
	list := make([]string, len(r.Reasons))
	for i, x := range r.Reasons {
		list[i] = x.Code + ": " + x.Words
	}
	return strings.Join(list, "|")
}
