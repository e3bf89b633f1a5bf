// Package logfile keeps the output of containers in the log format of the
// Container Runtime Interface, one line "TIME STREAM TAG TEXT" per line of
// output, and reads it back for kubectl logs.
package logfile

import (
	"bytes"
	"os"
	"sync"
	"time"
)

// maxLine is the longest text in one line of the log, in bytes. Longer lines of
// output are split, as container runtimes do.
const maxLine = 16 << 10

// File is the log of one run of a container.
type File struct {
	mu   sync.Mutex
	file *os.File
}

// Create makes an empty log.
func Create(path string) (*File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &File{file: file}, nil
}

// Close closes the log.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}

// Stdout and Stderr return writers for the two streams of output. Each must be
// flushed when the stream ends.
func (f *File) Stdout() *Stream { return &Stream{file: f, name: "stdout"} }

// Stderr is the stream of what the container writes to its standard error.
func (f *File) Stderr() *Stream { return &Stream{file: f, name: "stderr"} }

// Stream takes one stream of output. It is not safe for concurrent use.
type Stream struct {
	file *File
	name string
	rest []byte
}

// Write logs every whole line of p and keeps the rest.
func (s *Stream) Write(p []byte) (int, error) {
	n := len(p)
	for {
		text, after, whole := bytes.Cut(p, []byte("\n"))
		s.rest = append(s.rest, text...)
		for len(s.rest) > maxLine {
			if err := s.line("P", s.rest[:maxLine]); err != nil {
				return 0, err
			}
			s.rest = append(s.rest[:0], s.rest[maxLine:]...)
		}
		if !whole {
			return n, nil
		}
		if err := s.line("F", s.rest); err != nil {
			return 0, err
		}
		s.rest, p = s.rest[:0], after
	}
}

// Flush logs what followed the last line break.
func (s *Stream) Flush() error {
	if len(s.rest) == 0 {
		return nil
	}
	defer func() { s.rest = nil }()
	return s.line("F", s.rest)
}

// line writes one line; tag F ends a line of output and P does not.
func (s *Stream) line(tag string, text []byte) error {
	line := make([]byte, 0, len(text)+64)
	line = time.Now().UTC().AppendFormat(line, time.RFC3339Nano)
	line = append(line, ' ')
	line = append(line, s.name...)
	line = append(line, ' ')
	line = append(line, tag...)
	line = append(line, ' ')
	line = append(line, text...)
	line = append(line, '\n')
	s.file.mu.Lock()
	defer s.file.mu.Unlock()
	_, err := s.file.file.Write(line)
	return err
}
