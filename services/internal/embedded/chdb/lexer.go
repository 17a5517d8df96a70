package chdb

import "strings"

// A token of SQL text. Comments and white space are no tokens.
type token struct {
	kind       tokenKind
	start, end int // byte offsets into the text
}

type tokenKind uint8

const (
	endToken    tokenKind = iota
	wordToken             // bare identifier, keyword or number
	quotedToken           // '…', "…", `…` or $tag$…$tag$
	symbolToken           // one byte of anything else
)

// lexer cuts SQL into tokens as far as routing needs it: it never looks inside a quoted text or a comment.
type lexer struct {
	sql string
	at  int
}

func (l *lexer) next() token {
	l.skipBlank()
	if l.at >= len(l.sql) {
		return token{endToken, len(l.sql), len(l.sql)}
	}
	start := l.at
	switch c := l.sql[l.at]; {
	case c == '\'' || c == '"' || c == '`':
		l.at = closingQuote(l.sql, l.at)
		return token{quotedToken, start, l.at}
	case c == '$':
		if end := heredocEnd(l.sql, l.at); end > 0 {
			l.at = end
			return token{quotedToken, start, end}
		}
		l.at++
		return token{symbolToken, start, l.at}
	case isWordByte(c):
		for l.at < len(l.sql) && isWordByte(l.sql[l.at]) {
			l.at++
		}
		return token{wordToken, start, l.at}
	default:
		l.at++
		return token{symbolToken, start, l.at}
	}
}

func (l *lexer) skipBlank() {
	for l.at < len(l.sql) {
		rest := l.sql[l.at:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v\x00", rest[0]) >= 0:
			l.at++
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "#!"), strings.HasPrefix(rest, "# "):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest) - 1
			}
			l.at += end + 1
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				l.at = len(l.sql)
				return
			}
			l.at += end + 4
		default:
			return
		}
	}
}

// is tells whether the token is the bare keyword (given in upper case).
func (l *lexer) is(t token, keyword string) bool {
	return t.kind == wordToken && strings.EqualFold(l.sql[t.start:t.end], keyword)
}

func (l *lexer) symbol(t token, c byte) bool { return t.kind == symbolToken && l.sql[t.start] == c }

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// closingQuote returns the offset after the quote that closes the one at start, or the end of the text.
func closingQuote(sql string, start int) int {
	quote := sql[start]
	for i := start + 1; i < len(sql); i++ {
		switch sql[i] {
		case '\\':
			i++
		case quote:
			if i+1 < len(sql) && sql[i+1] == quote {
				i++
				continue
			}
			return i + 1
		}
	}
	return len(sql)
}

// heredocEnd returns the offset after $tag$…$tag$, or 0 when no heredoc starts here.
func heredocEnd(sql string, start int) int {
	i := start + 1
	for i < len(sql) && isWordByte(sql[i]) {
		i++
	}
	if i >= len(sql) || sql[i] != '$' {
		return 0
	}
	tag := sql[start : i+1]
	end := strings.Index(sql[i+1:], tag)
	if end < 0 {
		return 0
	}
	return i + 1 + end + len(tag)
}
