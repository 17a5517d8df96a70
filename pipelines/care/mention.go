package care

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// Who judged how a post speaks of a brand, the first that did counts.
const (
	JudgePerson = "person" // corrected it
	JudgeSource = "source" // stated it with the post
	JudgeModel  = "model"
)

// mentions folds the public posts: one row for each, by its latest version.
func (f *fold) mentions() (rows []Mention) {
	type key struct{ source, post string }
	var groups map[key][]*Contact
	for _, c := range f.contacts {
		if c.Type != schema.TypeMentionPublished {
			continue
		}
		if groups == nil {
			groups = map[key][]*Contact{}
		}
		k := key{c.Source, cmp.Or(c.Entity, string(c.ID[:]))}
		groups[k] = append(groups[k], c)
	}
	for _, versions := range groups {
		rows = append(rows, mention(versions))
	}
	slices.SortFunc(rows, func(a, b Mention) int { return a.ID.Compare(b.ID) })
	return rows
}

// mention folds the versions of a post, ascending. What the latest does not say, an earlier one may.
func mention(versions []*Contact) Mention {
	first, last := versions[0], versions[len(versions)-1]
	m := Mention{
		ID: first.ID, Event: last.ID, Persona: last.Persona, At: first.At, Source: last.Source, Channel: last.Channel.String(), Post: last.Entity,
		Audience: reputation.NoAudience(),
	}
	say := func(of func(c *Contact) string) string {
		for _, c := range slices.Backward(versions) {
			if text := of(c); text != "" {
				return text
			}
		}
		return ""
	}
	stated := func(p property) string { return say(func(c *Contact) string { return c.property(p) }) }
	m.Platform = cmp.Or(strings.ToLower(stated(propPlatform)), m.Source)
	m.Brand = say(func(c *Contact) string { return cmp.Or(c.property(propBrand), c.Mention) })
	m.Store, m.Product = stated(propStore), stated(propProduct)
	m.Parent = say(func(c *Contact) string { return c.Parent })
	m.Country = say(func(c *Contact) string { return c.Country })
	m.Language = cmp.Or(say(func(c *Contact) string { return c.Language }), spoken([]*Contact{last}))
	m.Own = last.Actor == schema.ActorBrand || last.Actor == schema.ActorAgent
	m.Repost = yes(stated(propRepost))
	m.judge(versions)
	for _, c := range versions { // ascending: the latest that states a count is the one that counts
		crowd(c.property(propAudience)).put(&m.Audience)
	}
	if n, err := strconv.ParseInt(stated(propFollowers), 10, 64); err == nil && n >= 0 {
		m.Audience.Followers = n
	}
	return m
}

// judge says how the post speaks of the brand: a person's correction counts, else what the source states, else what was read in it.
func (m *Mention) judge(versions []*Contact) {
	for _, c := range slices.Backward(versions) {
		if by := c.corrected; by != nil && by.Correction.Polarity != nil {
			if m.Polarity = toneOf(by.Correction.Polarity.String()); m.Polarity != "" {
				m.Judge = JudgePerson
			}
			return
		}
	}
	for _, c := range slices.Backward(versions) {
		if m.Polarity = toneOf(c.property(propSentiment)); m.Polarity != "" {
			m.Judge = JudgeSource
			return
		}
	}
	for _, c := range slices.Backward(versions) {
		if c.Said != nil {
			if m.Polarity = toneOf(c.Said.Polarity.String()); m.Polarity != "" {
				m.Judge, m.Model = JudgeModel, c.Said.Model
			}
			return
		}
	}
}

// toneOf reads a polarity as sources write it, in English and French; empty if it is none.
func toneOf(text string) string {
	label, _ := verbatim.ParseLabel(text)
	switch label {
	case verbatim.LabelPositive:
		return reputation.Favourable.String()
	case verbatim.LabelNeutral, verbatim.LabelNone:
		return reputation.Neutral.String()
	case verbatim.LabelNegative:
		return reputation.Unfavourable.String()
	}
	return ""
}

// The counts of an audience, as they are packed into one property: numbers joined by commas, empty where the post states none. The order is in the state store: never
// change it.
const (
	countReach = iota
	countImpressions
	countApplause
	countConversation
	countAmplification
	countClicks
	countSaves
	numCounts
)

// countNames are the members that state a count, without underscores and in lower case.
var countNames = map[string]int{
	"reach": countReach, "uniquereach": countReach,
	"impressions": countImpressions, "views": countImpressions,
	"likes": countApplause, "likecount": countApplause, "favoritecount": countApplause, "favouritecount": countApplause, "reactions": countApplause,
	"replies": countConversation, "replycount": countConversation, "comments": countConversation, "commentcount": countConversation,
	"reposts": countAmplification, "repostcount": countAmplification, "retweets": countAmplification, "retweetcount": countAmplification, "shares": countAmplification, "sharecount": countAmplification,
	"clicks": countClicks, "clickcount": countClicks,
	"saves": countSaves, "savecount": countSaves, "bookmarks": countSaves, "bookmarkcount": countSaves,
}

// counts are those of one version of a post; −1 where it states none.
type counts [numCounts]int64

func noAudience() (c counts) {
	for i := range c {
		c[i] = -1
	}
	return c
}

// maxCount bounds a count: more people than there are is a mistake.
const maxCount = 1e12

// take takes over a member, if it states a count. Of two names of one count the larger number holds, in whatever order they stand.
func (c *counts) take(plain string, value canonical.Node) {
	at, known := countNames[plain]
	if !known {
		return
	}
	if n, err := strconv.ParseInt(scalar(value, false), 10, 64); err == nil && n >= 0 && n <= maxCount {
		c[at] = max(c[at], n)
	}
}

// pack writes the counts; empty if there is none.
func (c *counts) pack() string {
	if *c == noAudience() {
		return ""
	}
	var b []byte
	for i, n := range c {
		if i > 0 {
			b = append(b, ',')
		}
		if n >= 0 {
			b = strconv.AppendInt(b, n, 10)
		}
	}
	return string(b)
}

// crowd reads what pack wrote.
func crowd(packed string) counts {
	c := noAudience()
	if packed == "" {
		return c
	}
	for i, text := range strings.SplitN(packed, ",", numCounts) {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			c[i] = n
		}
	}
	return c
}

// put gives an audience the counts that are there.
func (c counts) put(a *reputation.Audience) {
	for i, into := range [numCounts]*int64{&a.Reach, &a.Impressions, &a.Applause, &a.Conversation, &a.Amplification, &a.Clicks, &a.Saves} {
		if c[i] >= 0 {
			*into = c[i]
		}
	}
}
