// Package spool keeps what is written once and read several times: in memory while it is little, in a temporary file beyond. So
// work that goes over a long recording more than once needs a bounded amount of memory.
package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
)

// Spool is empty at first. It must not be used by two goroutines at once. Whoever is done with it calls Close.
type Spool struct {
	most   int // bytes in memory
	memory []byte
	file   *os.File // nil while all is in memory
	buf    *bufio.Writer
	bytes  int64
	err    error
}

// New keeps up to most bytes in memory.
func New(most int) *Spool { return &Spool{most: most} }

// Write appends p.
func (s *Spool) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.file == nil && len(s.memory)+len(p) > s.most {
		s.file, s.err = os.CreateTemp("", "vc-*.tmp")
		if s.err != nil {
			s.err = explain(s.err)
			return 0, s.err
		}
		os.Remove(s.file.Name()) // where the system allows it nothing is left, whatever happens
		s.buf = bufio.NewWriterSize(s.file, 1<<16)
		if _, err := s.buf.Write(s.memory); err != nil {
			s.err = explain(err)
			return 0, s.err
		}
		s.memory = nil
	}
	s.bytes += int64(len(p))
	if s.file == nil {
		s.memory = append(s.memory, p...)
		return len(p), nil
	}
	n, err := s.buf.Write(p)
	if err != nil {
		s.err = explain(err)
	}
	return n, s.err
}

func explain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("a temporary file in %s: %w; name a folder with room in $TMPDIR", os.TempDir(), err)
}

// Reader reads all from the beginning. Nothing may be written while it is in use.
func (s *Spool) Reader() io.Reader {
	if s.file == nil {
		return &reader{s: s, r: &memory{s.memory}}
	}
	if err := s.buf.Flush(); err != nil && s.err == nil {
		s.err = explain(err)
	}
	return &reader{s: s, r: bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.bytes), 1<<16)}
}

type memory struct{ left []byte }

func (m *memory) Read(p []byte) (int, error) {
	if len(m.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, m.left)
	m.left = m.left[n:]
	return n, nil
}

type reader struct {
	s *Spool
	r io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if r.s.err != nil {
		return 0, r.s.err
	}
	return r.r.Read(p)
}

// Reset forgets all.
func (s *Spool) Reset() {
	s.Close()
	*s = Spool{most: s.most}
}

// Close frees the memory and removes the file.
func (s *Spool) Close() error {
	s.memory = nil
	if s.file == nil {
		return nil
	}
	name := s.file.Name()
	err := s.file.Close()
	os.Remove(name)
	s.file = nil
	s.err = os.ErrClosed
	return err
}

// Floats is a Spool of samples.
type Floats struct {
	Spool
	scratch []byte
}

// NewFloats keeps up to most samples in memory.
func NewFloats(most int) *Floats { return &Floats{Spool: Spool{most: 4 * most}} }

// Add appends x.
func (f *Floats) Add(x []float32) error {
	f.scratch = f.scratch[:0]
	for _, v := range x {
		f.scratch = binary.LittleEndian.AppendUint32(f.scratch, math.Float32bits(v))
	}
	_, err := f.Write(f.scratch)
	return err
}

// Samples is how many there are.
func (f *Floats) Samples() int64 { return f.bytes / 4 }

// FloatReader reads samples from the beginning.
type FloatReader struct {
	r       io.Reader
	scratch []byte
}

// Floats reads all from the beginning. Nothing may be added while it is in use.
func (f *Floats) Floats() *FloatReader { return &FloatReader{r: f.Reader()} }

// Read fills x, but for the end, and returns how many samples there were: 0 with io.EOF.
func (r *FloatReader) Read(x []float32) (int, error) {
	if cap(r.scratch) < 4*len(x) {
		r.scratch = make([]byte, 4*len(x))
	}
	n, err := io.ReadFull(r.r, r.scratch[:4*len(x)])
	for i := range x[:n/4] {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(r.scratch[4*i:]))
	}
	if n > 0 && (err == io.ErrUnexpectedEOF || err == nil) {
		return n / 4, nil
	}
	return n / 4, err
}
