package verbatim

import "sort"

// ruleCode is what a code of the rules means.
type ruleCode struct {
	reason string // told as a reason, with this level
	level  Criticality
	sway   [polarities]float32 // added to the scores of the polarities, once per code
	act    Act
	feel   Emotion

	opener, trouble, solved bool // for irony: words of praise or thanks, what went wrong, that it was made good
	doubt                   bool // a question or a request: nothing is said about good or bad
}

// The codes of the rules. How far each sways was set on the challenge set's families and on texts held out from training, together.
var ruleCodes = map[string]ruleCode{
	"safety":         {reason: "safety", level: Critical, sway: negative(1.5), trouble: true},
	"vulnerability":  {reason: "vulnerability", level: High, sway: negative(.6)},
	"legal":          {reason: "legal", level: High, sway: negative(2.5), act: Complaint},
	"churn":          {reason: "churn", level: Medium, sway: negative(3), act: Complaint},
	"publicity":      {reason: "publicity", level: Medium, sway: negative(1)},
	"repeat":         {reason: "repeat", level: Medium, sway: negative(2.5), act: Complaint, trouble: true},
	"unanswered":     {reason: "unanswered", level: Low, sway: negative(3), act: Complaint, trouble: true},
	"failure":        {sway: negative(2.5), act: Complaint, trouble: true},
	"negative":       {sway: negative(3)},
	"positive":       {sway: [polarities]float32{-1.5, 0, 3}},
	"opener":         {opener: true},
	"solved":         {sway: [polarities]float32{-.5, 0, 1.5}, solved: true},
	"question":       {act: Question, doubt: true},
	"request":        {act: Request, doubt: true},
	"thanks":         {act: Thanks, sway: [polarities]float32{-.5, 0, 1.5}},
	"praise":         {act: Praise, opener: true},
	"complaint":      {sway: negative(1), act: Complaint},
	"anger":          {sway: negative(1), feel: Anger},
	"anxiety":        {sway: negative(.5), feel: Anxiety},
	"disappointment": {sway: negative(1), feel: Disappointment},
	"joy":            {sway: [polarities]float32{0, 0, .5}, feel: Joy},
}

func negative(by float32) [polarities]float32 { return [polarities]float32{by, 0, -by / 2} }

// weighRules makes act, emotion and criticality of what the rules found, and lets it sway the polarity.
func (a *Analyzer) weighRules(r *Reading, s *scratch, tokens []token) {
	var sway [polarities]float32
	var acts [Praise + 1]bool
	var feels [Joy + 1]int
	var opener, trouble, solved, doubt bool
	codes := a.codes[r.Language]
	done := uint64(0)
	for _, m := range s.matches {
		c := &codes[m.code]
		feels[c.feel]++
		if done&(1<<m.code) != 0 {
			continue
		}
		done |= 1 << m.code
		acts[c.act] = true
		if c.act == Thanks {
			continue // its sway is for the end: thanks for what is asked for say nothing
		}
		for p := range sway {
			sway[p] += c.sway[p]
		}
		opener, trouble, solved, doubt = opener || c.opener, trouble || c.trouble, solved || c.solved, doubt || c.doubt
		if c.reason != "" {
			r.Reasons = append(r.Reasons, Reason{c.reason, m.words(tokens)})
			r.Criticality = max(r.Criticality, c.level)
		}
	}
	level := func(code string) Criticality { return ruleCodes[code].level }
	sort.SliceStable(r.Reasons, func(i, j int) bool { return level(r.Reasons[i].Code) > level(r.Reasons[j].Code) })
	marks := 0
	for i := range tokens {
		if tokens[i].kind == sign && tokens[i].text[0] == '?' {
			marks++
		}
	}
	if marks > 0 && !acts[Request] {
		acts[Question] = true
		doubt = true
	}
	if acts[Thanks] && !doubt {
		for p, v := range ruleCodes["thanks"].sway {
			sway[p] += v
		}
	}
	for f := Anger; f <= Joy; f++ {
		if n := feels[f]; n > 0 && (r.Emotion == NoEmotion || n > feels[r.Emotion]) {
			r.Emotion = f
		}
	}
	if r.Polarity == Abstained {
		return
	}
	before := r.Polarity
	switch {
	case trouble && solved:
		// What went wrong was made good: the reader is told so, and the model decides.
		for p := range sway {
			sway[p] = 0
		}
		sway[Positive] = 2
	case opener && trouble:
		sway[Negative] += 3 // praise for what went wrong
		acts[Complaint] = true
	}
	if doubt && !trouble && sway == ([polarities]float32{}) {
		sway[Neutral] += doubtSway
	}
	corrected := a.adjusted(s, tokens, r.Language)
	if sway != ([polarities]float32{}) || corrected != ([polarities]float32{}) {
		scores, by := r.Shares, float32(swayBy)
		if a.deep != nil {
			by = deepSwayBy
		}
		for p := range scores {
			scores[p] = logOf(scores[p]) + by*min(swayMost, sway[p]) + corrected[p]
		}
		softmax(scores[:])
		r.Shares = scores
		r.settle(a.abstain())
		r.Unsure = r.Unsure || before != r.Polarity && before != Neutral
	}
	r.Act = actOf(acts, r.Polarity)
}

// doubtSway is how far a question or a request leans to neutral; swayMost how far rules together may lean; swayBy what of it the model is moved: with
// more of it the challenge set gains little and real sentences lose. The encoder tier knows half of what the rules say.
const (
	doubtSway  = 3.3
	swayBy     = .6
	deepSwayBy = .3
	swayMost   = 6
)

func actOf(acts [Praise + 1]bool, p Polarity) Act {
	switch {
	case acts[Complaint] && p == Negative:
		return Complaint
	case acts[Request] && p != Negative:
		return Request
	case acts[Question] && p != Negative:
		return Question
	case acts[Thanks] && p != Negative:
		return Thanks
	case p == Positive:
		return Praise
	case p == Negative:
		return Complaint
	case acts[Question]:
		return Question
	case acts[Request]:
		return Request
	}
	return Statement
}
