package chdb

import (
	"fmt"
	"sync"
	"time"
)

// sessions keeps a connection for each session_id: its temporary tables and settings live until it has been unused for its
// timeout. One query at a time, as on a server.
type sessions struct {
	pool *pool

	mu     sync.Mutex
	byName map[string]*session
	sweep  *time.Timer
	closed bool
}

type session struct {
	conn    *connection
	busy    bool
	expires time.Time
}

const (
	defaultSessionTimeout = time.Minute
	maxSessionTimeout     = time.Hour
	maxSessions           = 256
)

func newSessions(p *pool) *sessions { return &sessions{pool: p, byName: map[string]*session{}} }

// take claims a session, opening it unless mustExist.
func (s *sessions) take(name, database string, mustExist bool) (*session, error) {
	s.mu.Lock()
	if open := s.byName[name]; open != nil {
		defer s.mu.Unlock()
		if open.busy {
			return nil, fmt.Errorf("Code: 373. DB::Exception: Session %s is locked by a concurrent client. (SESSION_IS_LOCKED)", quoteText(name))
		}
		open.busy = true
		return open, nil
	}
	if mustExist {
		s.mu.Unlock()
		return nil, fmt.Errorf("Code: 372. DB::Exception: Session %s not found. (SESSION_NOT_FOUND)", quoteText(name))
	}
	if len(s.byName) >= maxSessions {
		s.mu.Unlock()
		return nil, fmt.Errorf("Code: 202. DB::Exception: more than %d sessions are open. (TOO_MANY_SIMULTANEOUS_QUERIES)", maxSessions)
	}
	fresh := &session{busy: true}
	s.byName[name] = fresh
	s.mu.Unlock()

	conn, err := s.pool.open(database, nil)
	if err != nil {
		s.mu.Lock()
		delete(s.byName, name)
		s.mu.Unlock()
		return nil, err
	}
	fresh.conn = conn
	return fresh, nil
}

// put gives a session back; it expires after the timeout, at once when that is zero.
func (s *sessions) put(name string, open *session, timeout time.Duration) {
	s.mu.Lock()
	open.busy = false
	open.expires = time.Now().Add(timeout)
	gone := timeout <= 0 || s.closed
	if gone {
		delete(s.byName, name)
	} else if s.sweep == nil {
		s.sweep = time.AfterFunc(timeout, s.closeExpired)
	}
	s.mu.Unlock()
	if gone {
		open.conn.close()
	}
}

func (s *sessions) closeExpired() {
	var gone []*connection
	now := time.Now()
	s.mu.Lock()
	for name, open := range s.byName {
		if !open.busy && !open.expires.After(now) {
			delete(s.byName, name)
			gone = append(gone, open.conn)
		}
	}
	s.sweep = nil
	if len(s.byName) > 0 && !s.closed {
		s.sweep = time.AfterFunc(time.Second, s.closeExpired)
	}
	s.mu.Unlock()
	for _, c := range gone {
		c.close()
	}
}

func (s *sessions) close() {
	s.mu.Lock()
	s.closed = true
	if s.sweep != nil {
		s.sweep.Stop()
	}
	var idle []*connection
	for name, open := range s.byName {
		if !open.busy {
			delete(s.byName, name)
			idle = append(idle, open.conn)
		}
	}
	s.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}
