package features

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"

	"github.com/starvc/vc/internal/spool"
)

// TrackPieces is TrackRecording for a recording that does not fit into memory: each goes over its samples, that many, from the
// first to the last in pieces of any length, and is called twice. Up to mostBytes of what is found in between are kept in
// memory, the rest in a temporary file. An error is that of each, or of the file.
func TrackPieces(cfg Config, samples, mostBytes int, each func(take func(x []float32) error) error) ([]float32, error) {
	kept := spool.New(mostBytes)
	defer kept.Close()
	out := bufio.NewWriterSize(kept, 1<<16)
	var record []byte
	listener := newF0Listener(cfg, func(m *f0Moment) error {
		record = appendMoment(record[:0], m)
		_, err := out.Write(record)
		return err
	})
	if err := each(listener.process); err != nil {
		return nil, err
	}
	frames := cfg.NumFrames(samples)
	if err := listener.end(frames); err != nil {
		return nil, err
	}
	if err := out.Flush(); err != nil {
		return nil, err
	}
	decider := f0Decider{middle: listener.middle(), lags: make([]float32, 0, frames)}
	in := bufio.NewReaderSize(kept.Reader(), 1<<16)
	for range frames {
		var m f0Moment
		if err := readMoment(in, &m); err != nil {
			return nil, err
		}
		decider.process(&m)
	}
	refiner := newF0Refiner(cfg, decider.end())
	err := each(func(x []float32) error {
		refiner.process(x)
		return nil
	})
	return refiner.end(), err
}

// momentHead is the length of a record without its candidates.
const momentHead = 8 + 1 + 1

func appendMoment(b []byte, m *f0Moment) []byte {
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(m.odds))
	silent := byte(0)
	if m.silent {
		silent = 1
	}
	b = append(b, byte(m.count), silent)
	for i := range m.count {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(m.lag[i]))
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(m.score[i]))
	}
	return b
}

func readMoment(r io.Reader, m *f0Moment) error {
	var b [momentHead + 8*f0Candidates]byte
	if _, err := io.ReadFull(r, b[:momentHead]); err != nil {
		return err
	}
	m.odds = math.Float64frombits(binary.LittleEndian.Uint64(b[:]))
	m.count, m.silent = int(b[8]), b[9] == 1
	rest := b[momentHead : momentHead+8*m.count]
	if _, err := io.ReadFull(r, rest); err != nil {
		return err
	}
	for i := range m.count {
		m.lag[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest[8*i:]))
		m.score[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest[8*i+4:]))
	}
	return nil
}

// Pieces gives the frames of a recording piece by piece, as ExtractRecording gives them at once. F0 is that of TrackPieces.
type Pieces struct {
	e    *Extractor
	f0   []float32
	done int // frames
}

// NewPieces begins a recording with that F0. It is an error if cfg is not valid.
func NewPieces(cfg Config, f0 []float32) (*Pieces, error) {
	e, err := NewExtractor(cfg)
	if err != nil {
		return nil, err
	}
	return &Pieces{e: e, f0: f0}, nil
}

// Process appends to dst the frames that the samples up to the end of x complete. It panics if there are more than f0 has.
func (p *Pieces) Process(dst *Frames, x []float32) {
	p.e.adopt(dst)
	p.e.received += len(x)
	p.e.push(dst, x)
	p.give(dst)
}

// Flush appends the frames that still waited for samples, as if zeros followed.
func (p *Pieces) Flush(dst *Frames) {
	p.e.adopt(dst)
	for p.e.emitted < p.e.cfg.NumFrames(p.e.received) {
		clear(p.e.frame[p.e.filled:])
		p.e.emit(dst)
	}
	p.give(dst)
}

func (p *Pieces) give(dst *Frames) {
	n := dst.Len() - len(dst.F0)
	dst.F0 = append(dst.F0, p.f0[p.done:p.done+n]...)
	p.done += n
	p.e.check(dst)
}
