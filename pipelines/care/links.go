package care

import (
	"encoding/binary"
	"math/bits"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// Link is a hash of something that contacts may have in common. Contacts of one conversation or case share a link, or are joined by a chain
// of contacts that do. The other way round it need not be so: Fold looks at what the links stand for.
type Link [16]byte

// Links appends the links of a contact: its thread, its message and what that answers, its case, its survey, the message that a mark is about; and the
// account and channel, where the channel gives no thread; a text and its corrections.
func (c *Contact) Links(dst []Link) []Link {
	var room [4]string
	before := len(dst)
	for _, name := range c.threads(room[:0]) {
		dst = append(dst, link("thread", name))
	}
	if c.Case != "" {
		dst = append(dst, link("case", c.Case))
	}
	if c.Type == schema.TypeCaseMerged && c.property(propMergedInto) != "" {
		dst = append(dst, link("case", c.property(propMergedInto)))
	}
	if isMark(c.Type) {
		if source, message := c.names(); message != "" {
			dst = append(dst, link("message", source, message))
		}
	}
	if isContact(c.Type) {
		for _, m := range c.messages(room[:0]) {
			dst = append(dst, link("message", c.Source, m))
		}
		for _, m := range c.answers(room[:0]) {
			dst = append(dst, link("message", c.Source, m))
		}
		if c.loose() {
			dst = append(dst, link("account", c.Source, string(c.Persona[:]), flow(c.Channel).String()))
		}
	}
	if isSurvey(c.Type) {
		dst = append(dst, link("survey", c.Source, c.survey()))
	}
	if c.Said != nil {
		dst = append(dst, link("text", string(c.ID[:])))
	}
	if c.Correction != nil {
		dst = append(dst, link("text", string(c.Target[:])))
	}
	if len(dst) == before {
		dst = append(dst, link("event", string(c.ID[:])))
	}
	return dst
}

// link is FNV-1a in 128 bits of its parts, each followed by a byte of 255, which no text has, as hash/fnv makes it.
func link(parts ...string) (l Link) {
	const offsetHigh, offsetLow = 0x6c62272e07bb0142, 0x62b821756295c58d
	high, low := uint64(offsetHigh), uint64(offsetLow)
	add := func(b byte) { // times the prime 2^88 + 0x13b
		low ^= uint64(b)
		carry, product := bits.Mul64(0x13b, low)
		high, low = carry+low<<24+0x13b*high, product
	}
	for _, p := range parts {
		for i := range len(p) {
			add(p[i])
		}
		add(0xff)
	}
	binary.BigEndian.PutUint64(l[:], high)
	binary.BigEndian.PutUint64(l[8:], low)
	return l
}

// threads are the ids of the conversation that a contact belongs to, or is about. A post or a review is one by itself.
func (c *Contact) threads(ids []string) []string {
	if c.Thread != "" {
		ids = append(ids, c.Thread)
	}
	switch c.Type {
	case schema.TypeMentionPublished, schema.TypeReviewPublished:
		if c.Entity != "" && c.Entity != c.Thread {
			ids = append(ids, c.Entity)
		}
	}
	return ids
}

// messages are the ids under which others may answer this one.
func (c *Contact) messages(ids []string) []string {
	if c.Message != "" {
		ids = append(ids, c.Message)
	}
	switch c.Type {
	case schema.TypeMentionPublished, schema.TypeReviewPublished, schema.TypeMentionEngaged:
		if c.Entity != "" && c.Entity != c.Message {
			ids = append(ids, c.Entity)
		}
	}
	return ids
}

// answers are the ids of the messages that this one names as those before it. A review's parent is what it is about, no message.
func (c *Contact) answers(ids []string) []string {
	if c.Type == schema.TypeReviewPublished || isCall(c.Type) {
		return ids
	}
	if c.Parent != "" {
		ids = append(ids, c.Parent)
	}
	if refs := c.property(propReferences); refs != "" {
		ids = append(ids, strings.Fields(refs)...)
	}
	return ids
}

// loose says whether only account, channel and time tell what conversation a contact belongs to.
func (c *Contact) loose() bool {
	if c.Thread != "" || c.Parent != "" || c.property(propReferences) != "" {
		return false
	}
	switch c.Type {
	case schema.TypeMentionPublished, schema.TypeReviewPublished:
		return c.Entity == "" // a post is a thread
	}
	return true
}

// endless says whether a channel keeps one thread for a customer for ever, so that a silence ends a conversation there.
func endless(c schema.Channel) bool { return c == schema.ChannelSMS || c == schema.ChannelMessaging }

// flow is the channel that a conversation goes on in: a bot hands over to a human in the same chat.
func flow(c schema.Channel) schema.Channel {
	if c == schema.ChannelBot {
		return schema.ChannelChat
	}
	return c
}

// survey names what the answers of one questionnaire have in common.
func (c *Contact) survey() string {
	if c.Entity != "" {
		return c.Entity
	}
	return string(c.ID[:])
}
