package chdb

import (
	"strings"
)

// route is which call of the library runs a statement.
type route uint8

const (
	// The zero route, whole: run it, then answer with everything (DDL, SHOW, INSERT … SELECT, INSERT … VALUES with the rows in the text).
	_ route = iota
	// streamed: the answer comes in chunks (SELECT and its spellings).
	streamed
	// fed: an INSERT whose rows come as formatted bytes.
	fed
)

// statement is SQL text, cut as far as the front needs.
type statement struct {
	sql    string // what the engine gets; of a fed INSERT without FORMAT clause and inline rows
	route  route
	format string // of a fed INSERT: the input format; else the FORMAT clause of the answer, empty when none
	inline string // rows that stood in the text of a fed INSERT
	sticky bool   // leaves state on the connection: USE, SET, temporary tables, transactions
	empty  bool   // nothing but comments
	many   bool   // more than one statement
}

// parseStatement routes one SQL text. It understands the statement's frame only; the engine judges the rest.
func parseStatement(sql string) statement {
	l := &lexer{sql: sql}
	first := l.next()
	s := statement{sql: sql}
	switch {
	case first.kind == endToken:
		s.empty = true
		return s
	case l.is(first, "INSERT"):
		return parseInsert(l)
	case l.is(first, "SELECT"), l.is(first, "WITH"), l.is(first, "FROM"), l.symbol(first, '('):
		s.route = streamed
	case l.is(first, "USE"), l.is(first, "SET"), l.is(first, "BEGIN"), l.is(first, "COMMIT"), l.is(first, "ROLLBACK"):
		s.sticky = true
	case l.is(first, "CREATE"):
		t := l.next()
		if l.is(t, "OR") {
			l.next()
			t = l.next()
		}
		s.sticky = l.is(t, "TEMPORARY")
	}
	s.scanTail(l)
	return s
}

// scanTail looks for the answer's FORMAT clause and for a second statement.
func (s *statement) scanTail(l *lexer) {
	depth, ended := 0, false
	for t := l.next(); t.kind != endToken; t = l.next() {
		if ended {
			s.many = true
			return
		}
		switch {
		case l.symbol(t, '('), l.symbol(t, '['), l.symbol(t, '{'):
			depth++
		case l.symbol(t, ')'), l.symbol(t, ']'), l.symbol(t, '}'):
			depth--
		case l.symbol(t, ';'):
			ended = true
		case depth == 0 && l.is(t, "FORMAT"):
			at := l.at
			if name := l.next(); name.kind == wordToken {
				s.format = l.sql[name.start:name.end]
			} else {
				l.at = at
			}
		}
	}
}

// parseInsert cuts INSERT INTO [TABLE] [FUNCTION] name [(columns)] [SETTINGS …] and what follows: FORMAT and rows, VALUES
// and rows, or a query. The lexer stands behind INSERT.
func parseInsert(l *lexer) statement {
	s := statement{sql: l.sql}
	t := l.next()
	for l.is(t, "INTO") || l.is(t, "TABLE") || l.is(t, "FUNCTION") {
		t = l.next()
	}
	// The name itself may be spelled like a keyword: skip it, with its database.
	t = l.next()
	for l.symbol(t, '.') {
		l.next()
		t = l.next()
	}
	depth := 0
	for ; t.kind != endToken; t = l.next() {
		switch {
		case l.symbol(t, '('):
			if depth == 0 && startsQuery(*l) {
				s.scanTail(l)
				return s
			}
			depth++
		case l.symbol(t, ')'):
			depth--
		case depth > 0:
		case l.is(t, "FORMAT"):
			return s.feed(l, t)
		case l.is(t, "VALUES"):
			if rest := strings.TrimSpace(l.sql[t.end:]); rest == "" || rest == ";" {
				s.route, s.format, s.sql = fed, "Values", l.sql[:t.start]
			}
			return s
		case l.is(t, "SELECT"), l.is(t, "WITH"), l.is(t, "FROM"), l.is(t, "WATCH"):
			s.scanTail(l)
			return s
		}
	}
	// Neither rows nor a query: the rows are the request's body, as Values.
	s.route, s.format, s.sql = fed, "Values", strings.TrimRight(l.sql, "; \t\r\n")
	return s
}

// startsQuery tells whether a parenthesis just opened holds a query and not a list of columns.
func startsQuery(l lexer) bool {
	t := l.next()
	return l.is(t, "SELECT") || l.is(t, "WITH") || l.symbol(t, '(')
}

// feed cuts "… FORMAT X [SETTINGS …] rows": the engine's insert stream ignores a FORMAT clause and would read Values, so the
// format goes beside the text and trailing settings go before it.
func (s statement) feed(l *lexer, format token) statement {
	name := l.next()
	head := strings.TrimRight(l.sql[:format.start], " \t\r\n")
	s.route, s.format = fed, l.sql[name.start:name.end]
	at := l.at
	if t := l.next(); l.is(t, "SETTINGS") {
		end := settingsEnd(l)
		head += " " + strings.TrimRight(l.sql[t.start:end], "; \t\r\n")
		at = end
	}
	s.sql = head
	rows := strings.TrimLeft(l.sql[at:], " \t\r")
	s.inline = strings.TrimPrefix(rows, "\n")
	if strings.TrimSpace(s.inline) == ";" {
		s.inline = ""
	}
	return s
}

// settingsEnd returns the offset after name = value, name = value …; the lexer stands behind SETTINGS.
func settingsEnd(l *lexer) int {
	for {
		l.next() // name
		for l.symbol(peek(l), '.') {
			l.next()
			l.next()
		}
		if !l.symbol(l.next(), '=') {
			return l.at
		}
		if sign := peek(l); l.symbol(sign, '-') || l.symbol(sign, '+') {
			l.next()
		}
		l.next() // value
		for l.symbol(peek(l), '.') {
			l.next()
			if peek(l).kind == wordToken {
				l.next()
			}
		}
		if !l.symbol(peek(l), ',') {
			return l.at
		}
		l.next()
	}
}

func peek(l *lexer) token {
	ahead := *l
	return ahead.next()
}

// withSettings adds settings to a fed INSERT's own SETTINGS clause, so that what differs for every insert (the deduplication
// token) needs no connection of its own.
func (s *statement) withSettings(extra []setting) {
	if len(extra) == 0 {
		return
	}
	var clause strings.Builder
	for i, x := range extra {
		if i > 0 {
			clause.WriteString(", ")
		}
		clause.WriteString(x.name + " = " + quoteText(x.value))
	}
	l := &lexer{sql: s.sql}
	depth := 0
	for t := l.next(); t.kind != endToken; t = l.next() {
		switch {
		case l.symbol(t, '('):
			depth++
		case l.symbol(t, ')'):
			depth--
		case depth == 0 && l.is(t, "SETTINGS"):
			s.sql = s.sql[:t.end] + " " + clause.String() + ", " + s.sql[t.end:]
			return
		}
	}
	s.sql += " SETTINGS " + clause.String()
}

// quoteText is a SQL string literal.
func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// quoteName is a SQL identifier.
func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
