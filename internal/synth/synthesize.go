package synth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/vocoder"
)

const (
	griffinLimIterations = 32
	refiningIterations   = 60
	polishingPasses      = 3 // none or fewer in streams, where they cost latency
	rtisiLookAhead       = 3 // frames, likewise
	rtisiIterations      = 8
	chunkFrames          = 96

	// Recordings longer than a piece are cut at quiet places, so that pieces can be done beside each other and the
	// memory in use does not depend on the length.
	pieceFrames   = 1000
	searchFrames  = 300 // a cut is the quietest frame of the last so many of a piece
	contextFrames = 16  // frames beyond each end that are synthesised too and thrown away
)

// Options of a Synthesizer. The zero value is a good choice.
type Options struct {
	Vocoder    Vocoder      // "" means Neural if there is a Net for the frames, else SourceFilter
	Net        *vocoder.Net // of Neural; nil means BaseNet
	Seed       uint64       // of the noise in Neural and SourceFilter; 0 means the one that conversions use
	Iterations int          // of GriffinLim and Refined, of RTISI per frame, or passes of Neural and SourceFilter; 0 means as many as are good for recordings
	Threads    int          // cores to use at most, by GriffinLim and Refined; 0 means one
	Made       bool         // the frames come from a network, and not from recordings: Neural takes their envelope and leaves the pitch to F0; Refined is refused
}

// Validate names the first option that cannot work.
func (o Options) Validate() error {
	switch {
	case o.Vocoder == Refined && o.Made:
		return fmt.Errorf("vocoder %q is for a recording's own frames: conversions lose their pitch by it; these are for conversions: %q",
			Refined, Vocoders())
	case o.Vocoder != "" && !slices.Contains(CopyVocoders(), o.Vocoder):
		return fmt.Errorf("vocoder %q is not known, known are %q", o.Vocoder, CopyVocoders())
	case o.Iterations < 0:
		return fmt.Errorf("iterations are %d, want 1 or more, or 0 for the usual number", o.Iterations)
	case o.Threads < 0:
		return fmt.Errorf("threads is %d, want 1 or more, or 0 for one", o.Threads)
	}
	return nil
}

// NeedsNet reports whether v cannot do without weights.
func (v Vocoder) NeedsNet() bool { return v == Neural || v == Refined }

// Synthesizer makes sound of the frames of whole recordings. It may be used by several goroutines at once.
type Synthesizer struct {
	cfg features.Config
	o   Options
}

// New makes one for frames of that configuration. It is an error if there are no weights for the vocoder asked
// for, and if they are for other frames.
func New(cfg features.Config, o Options) (*Synthesizer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Net == nil && (o.Vocoder.NeedsNet() || o.Vocoder == "") {
		var err error
		if o.Net, err = BaseNet(cfg); err != nil {
			return nil, err
		}
	}
	switch {
	case o.Vocoder.NeedsNet() && o.Net == nil:
		return nil, errNoNet(o.Vocoder, cfg)
	case o.Vocoder.NeedsNet() && o.Net.Features() != cfg:
		return nil, fmt.Errorf("vocoder %q: its weights are for other frames, of sound of %d Hz, than these, of %d Hz", o.Vocoder,
			o.Net.Features().SampleRate, cfg.SampleRate)
	case o.Vocoder == "" && o.Net != nil && o.Net.Features() == cfg:
		o.Vocoder = Neural
	case o.Vocoder == "":
		o.Vocoder = SourceFilter
	}
	if o.Seed == 0 {
		o.Seed = noiseSeed
	}
	o.Threads = max(1, o.Threads)
	s := &Synthesizer{cfg, o}
	var err error // here rather than with the first recording
	switch o.Vocoder {
	case GriffinLim:
		_, err = s.griffinLim()
	case Refined:
		_, err = s.griffinLim()
		_, neuralErr := s.maker().make()
		err = errors.Join(err, neuralErr)
	default:
		_, err = s.maker().make()
	}
	return s, err
}

func (s *Synthesizer) griffinLim() (*vocoder.GriffinLim, error) {
	usual := griffinLimIterations
	if s.o.Vocoder == Refined {
		usual = refiningIterations
	}
	return vocoder.NewGriffinLim(s.cfg, s.iterations(usual))
}

// Vocoder is the one in use.
func (s *Synthesizer) Vocoder() Vocoder { return s.o.Vocoder }

func (s *Synthesizer) iterations(usual int) int {
	if s.o.Iterations > 0 {
		return s.o.Iterations
	}
	return usual
}

func (s *Synthesizer) maker() frameMaker {
	m := frameMaker{
		cfg: s.cfg, vocoder: s.o.Vocoder, net: s.o.Net, seed: s.o.Seed, passes: s.iterations(polishingPasses), made: s.o.Made,
		lookAhead: rtisiLookAhead, iterations: s.iterations(rtisiIterations),
	}
	if m.vocoder == Refined {
		m.vocoder, m.passes = Neural, polishingPasses
	}
	return m
}

// Vocode makes that many samples of frames with vocoder v, "" as in Options.
func Vocode(ctx context.Context, cfg features.Config, v Vocoder, f features.Frames, samples int) ([]float32, error) {
	s, err := New(cfg, Options{Vocoder: v})
	if err != nil {
		return nil, err
	}
	return s.Synthesize(ctx, f.LogMel, f.F0, samples, nil)
}

// Synthesize makes samples of normalised log-mel frames, [frames, nMels], and their F0, [frames], in Hz. progress, if not
// nil, is told from time to time which part is done, 0 to 1, by one goroutine at a time. An error is ctx's.
func (s *Synthesizer) Synthesize(ctx context.Context, logMel, f0 []float32, samples int, progress func(part float64)) ([]float32, error) {
	if progress == nil {
		progress = func(float64) {}
	}
	switch s.o.Vocoder {
	case GriffinLim:
		return s.inPieces(ctx, logMel, nil, samples, progress)
	case Refined:
		start, err := s.inOrder(ctx, logMel, f0, samples, func(part float64) { progress(part * neuralPart) })
		if err != nil {
			return nil, err
		}
		return s.inPieces(ctx, logMel, start, samples, func(part float64) { progress(neuralPart + part*(1-neuralPart)) })
	}
	return s.inOrder(ctx, logMel, f0, samples, progress)
}

// neuralPart is how much of the time of Refined its beginning takes, about.
const neuralPart = 0.1

// inPieces is Griffin-Lim, piece by piece, beginning with start unless that is nil.
func (s *Synthesizer) inPieces(ctx context.Context, logMel, start []float32, samples int, progress func(part float64)) ([]float32, error) {
	cfg := s.cfg
	cuts := quietCuts(logMel, cfg.NMels)
	pieces := len(cuts) - 1
	made := make([][]float32, pieces)
	workers := min(s.o.Threads, pieces)
	makers := make([]*vocoder.GriffinLim, workers)
	for i := range makers {
		var err error
		if makers[i], err = s.griffinLim(); err != nil {
			return nil, err
		}
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	var mutex sync.Mutex
	done := 0
	for _, g := range makers {
		wait.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= pieces || ctx.Err() != nil {
					return
				}
				made[i] = piece(g, cfg, logMel, start, samples, cuts[i], cuts[i+1])
				mutex.Lock()
				done++
				progress(float64(done) / float64(pieces))
				mutex.Unlock()
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return join(made, cuts, cfg.Hop, samples), nil
}

// piece synthesises frames from to to with context, and returns the samples from one hop before the first frame's
// centre to one hop beyond the centre of frame to, as far as the recording has them. A start, unless nil, is refined.
func piece(g *vocoder.GriffinLim, cfg features.Config, logMel, start []float32, samples, from, to int) []float32 {
	frames := len(logMel) / cfg.NMels
	a, b := max(0, from-contextFrames), min(frames, to+contextFrames)
	n := samples - a*cfg.Hop
	if b < frames {
		n = (b - 1 - a) * cfg.Hop
	}
	var x []float32
	if start == nil {
		x = g.Synthesize(logMel[a*cfg.NMels:b*cfg.NMels], n)
	} else {
		x = g.Refine(logMel[a*cfg.NMels:b*cfg.NMels], start[a*cfg.Hop:][:n])
	}
	begin := max(0, (from-1)*cfg.Hop) - a*cfg.Hop
	end := n
	if b < frames || to < frames {
		end = min(n, (to+1-a)*cfg.Hop)
	}
	return x[begin:end]
}

// join lays the pieces beside each other, cross-faded over one hop to both sides of each cut.
func join(pieces [][]float32, cuts []int, hop, samples int) []float32 {
	out := make([]float32, samples)
	for i, x := range pieces {
		start := max(0, (cuts[i]-1)*hop)
		for k, v := range x {
			at := start + k
			w := float32(1)
			if i > 0 {
				w = min(w, float32(at-start)/float32(2*hop))
			}
			if i < len(pieces)-1 {
				w = min(w, float32((cuts[i+1]+1)*hop-at)/float32(2*hop))
			}
			out[at] += w * v
		}
	}
	return out
}

// quietCuts returns the first frame of every piece, and the number of frames at the end.
func quietCuts(logMel []float32, nMels int) []int {
	frames := len(logMel) / nMels
	cuts := []int{0}
	for at := 0; frames-at > pieceFrames+searchFrames; {
		best, quietest := 0, float32(0)
		for t := at + pieceFrames - searchFrames; t < at+pieceFrames; t++ {
			level := float32(0)
			for _, v := range logMel[t*nMels : (t+1)*nMels] {
				level += v
			}
			if best == 0 || level < quietest {
				best, quietest = t, level
			}
		}
		at = best
		cuts = append(cuts, at)
	}
	return append(cuts, frames)
}

// Stream gives what Synthesize makes sound with, for frames that come piece by piece: the samples are the same. It panics for
// GriffinLim and Refined, which go over all frames more than once.
func (s *Synthesizer) Stream() (FrameVocoder, error) {
	if s.o.Vocoder == GriffinLim || s.o.Vocoder == Refined {
		panic("synth: " + string(s.o.Vocoder) + " needs all frames")
	}
	return s.maker().make()
}

func (s *Synthesizer) inOrder(ctx context.Context, logMel, f0 []float32, samples int, progress func(float64)) ([]float32, error) {
	v, err := s.maker().make()
	if err != nil {
		return nil, err
	}
	n := s.cfg.NMels
	out := make([]float32, 0, samples+s.cfg.Hop)
	for at := 0; at < len(f0); at += chunkFrames {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		end := min(at+chunkFrames, len(f0))
		out = v.Process(out, logMel[at*n:end*n], f0[at:end])
		progress(float64(end) / float64(len(f0)))
	}
	return v.FlushTo(out, samples), nil
}
