package chdb

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// setting is one engine setting of one query.
type setting struct{ name, value string }

// pool keeps idle engine connections by what is set on them: a setting holds for the life of a connection, so a connection is
// reused only for the same database and the same settings. A new combination costs a connect (about 1 ms).
type pool struct {
	lib     *library
	options []string
	maxIdle int           // of all combinations together
	idleFor time.Duration // before an idle connection is closed

	mu     sync.Mutex
	idle   []idleConnection // oldest first
	sweep  *time.Timer      // runs only while something is idle
	closed bool
}

type idleConnection struct {
	key   string
	conn  *connection
	since time.Time
}

func newPool(lib *library, options []string, maxIdle int, idleFor time.Duration) *pool {
	return &pool{lib: lib, options: options, maxIdle: maxIdle, idleFor: idleFor}
}

func poolKey(database string, settings []setting) string {
	var b strings.Builder
	b.WriteString(database)
	for _, s := range settings {
		b.WriteString("\x00" + s.name + "\x00" + s.value)
	}
	return b.String()
}

// take returns a connection with exactly this database and these settings (sorted by name). Give it back with put.
func (p *pool) take(database string, settings []setting) (*connection, error) {
	key := poolKey(database, settings)
	p.mu.Lock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if p.idle[i].key == key {
			c := p.idle[i].conn
			p.idle = slices.Delete(p.idle, i, i+1)
			p.mu.Unlock()
			return c, nil
		}
	}
	p.mu.Unlock()
	return p.open(database, settings)
}

func (p *pool) open(database string, settings []setting) (*connection, error) {
	c, err := p.lib.open(p.options)
	if err != nil {
		return nil, fmt.Errorf("Code: 1002. DB::Exception: %w (UNKNOWN_EXCEPTION)", err)
	}
	if database != "" && database != "default" {
		if err := c.exec("USE " + quoteName(database)); err != nil {
			c.close()
			return nil, err
		}
	}
	if err := c.set(settings); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// put gives a connection back. One that carries state (USE, SET, temporary tables, the rest of a broken answer) must not be
// reused and is closed.
func (p *pool) put(c *connection, database string, settings []setting, reuse bool) {
	var surplus *connection
	p.mu.Lock()
	switch {
	case !reuse || p.closed:
		surplus = c
	default:
		if len(p.idle) >= p.maxIdle {
			surplus = p.idle[0].conn
			p.idle = slices.Delete(p.idle, 0, 1)
		}
		p.idle = append(p.idle, idleConnection{poolKey(database, settings), c, time.Now()})
		if p.sweep == nil {
			p.sweep = time.AfterFunc(p.idleFor, p.closeOld)
		}
	}
	p.mu.Unlock()
	if surplus != nil {
		surplus.close()
	}
}

// closeOld closes what has been idle too long, and sets the timer again only while something is left.
func (p *pool) closeOld() {
	var old []*connection
	p.mu.Lock()
	limit := time.Now().Add(-p.idleFor)
	for len(p.idle) > 0 && !p.idle[0].since.After(limit) {
		old = append(old, p.idle[0].conn)
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	p.sweep = nil
	if len(p.idle) > 0 && !p.closed {
		p.sweep = time.AfterFunc(time.Until(p.idle[0].since.Add(p.idleFor)), p.closeOld)
	}
	p.mu.Unlock()
	for _, c := range old {
		c.close()
	}
}

// close closes the idle connections; those in use are closed when they come back.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	if p.sweep != nil {
		p.sweep.Stop()
	}
	p.mu.Unlock()
	for _, i := range idle {
		i.conn.close()
	}
}

// set applies settings in one statement: with readonly among them, a second one would be refused.
func (c *connection) set(settings []setting) error {
	if len(settings) == 0 {
		return nil
	}
	parts := make([]string, len(settings))
	for i, s := range settings {
		if !validSettingName(s.name) {
			return fmt.Errorf("Code: 115. DB::Exception: Unknown setting %s. (UNKNOWN_SETTING)", quoteText(s.name))
		}
		parts[i] = s.name + " = " + quoteText(s.value)
	}
	return c.exec("SET " + strings.Join(parts, ", "))
}

// reset takes settings back to their defaults.
func (c *connection) reset(settings []setting) error {
	if len(settings) == 0 {
		return nil
	}
	parts := make([]string, len(settings))
	for i, s := range settings {
		parts[i] = s.name + " = DEFAULT"
	}
	return c.exec("SET " + strings.Join(parts, ", "))
}

func validSettingName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(isWordByte(c) && c < 0x80 || c == '.') {
			return false
		}
	}
	return s != ""
}
