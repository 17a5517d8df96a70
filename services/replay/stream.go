package replay

import (
	"bufio"
	"io"
)

// Stream writes lines as they come. Whoever reads it keeps the note.
type Stream struct {
	out      *bufio.Writer
	progress Progress
}

// NewStream begins behind p.After.
func NewStream(to io.Writer, p Progress) *Stream {
	return &Stream{bufio.NewWriterSize(to, 1<<16), p}
}

// Progress is how far the run has come.
func (s *Stream) Progress() *Progress { return &s.progress }

// Take writes a line.
func (s *Stream) Take(l Line) error {
	if _, err := s.out.Write(l.Text); err != nil {
		return err
	}
	s.progress.Events, s.progress.After = s.progress.Events+1, l.At.String()
	return nil
}

// Save hands on what is buffered.
func (s *Stream) Save() error { return s.out.Flush() }

// Finish hands on what is buffered.
func (s *Stream) Finish() error { return s.out.Flush() }

// Close does nothing: the stream is another's.
func (s *Stream) Close() error { return nil }
