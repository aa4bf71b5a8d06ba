package features

import (
	"fmt"
	"math"
)

// Extractor turns a signal into Frames, piece by piece. What comes out does not depend on how the signal is cut:
// every frame is computed from the same samples by the same code, bit for bit. It must not be used by two goroutines
// at once.
type Extractor struct {
	cfg  Config
	stft *STFT
	bank *MelBank
	f0   *F0Tracker

	frame    []float64 // [WinLength] the samples of the next frame, of which the first filled are there
	filled   int
	received int // samples since the beginning of the signal
	emitted  int // frames since the beginning of the signal

	spectrum  []complex128 // [Bins]
	magnitude []float64    // [Bins], beyond the last mel band never filled
	mel       []float64    // [NMels]
	energy    float64      // sum of the squared window
	heard     int          // bins up to SpeechHz, whose power LogEnergy tells
}

// energyFloor is the lowest RMS that LogEnergy tells from silence.
const energyFloor = 1e-5

// NewExtractor makes an Extractor at the beginning of a signal. It is an error if cfg is not valid or has mel bands
// too narrow for its NFFT.
func NewExtractor(cfg Config) (*Extractor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	bank, err := NewMelBank(cfg)
	if err != nil {
		return nil, err
	}
	e := &Extractor{
		cfg: cfg, stft: NewSTFT(cfg), bank: bank, f0: NewF0Tracker(cfg),
		frame:     make([]float64, cfg.WinLength),
		spectrum:  make([]complex128, cfg.Bins()),
		magnitude: make([]float64, cfg.Bins()),
		mel:       make([]float64, cfg.NMels),
	}
	for _, w := range e.stft.Window() {
		e.energy += w * w
	}
	e.heard = min(cfg.Bins(), 1+SpeechHz*cfg.NFFT/cfg.SampleRate)
	e.restart()
	return e, nil
}

// Config is what the Extractor was made with.
func (e *Extractor) Config() Config { return e.cfg }

// Latency is how many samples beyond its centre a frame waits for: WinLength/2.
func (e *Extractor) Latency() int { return e.cfg.WinLength / 2 }

// Process appends to dst every frame that the samples up to the end of x complete. x is mono, in [-1, 1], finite, and
// is not kept. A zero dst gets its NMels here. Nothing is allocated while dst has room (Frames.Grow).
func (e *Extractor) Process(dst *Frames, x []float32) {
	e.adopt(dst)
	e.received += len(x)
	dst.F0 = e.f0.Process(dst.F0, x)
	e.push(dst, x)
	e.check(dst)
}

// Flush appends the frames that still waited for samples, as if zeros followed, so that a signal of n samples has
// given Config.NumFrames(n) in all. Then the Extractor is as after Reset.
func (e *Extractor) Flush(dst *Frames) {
	e.adopt(dst)
	dst.F0 = e.f0.Flush(dst.F0)
	for e.emitted < e.cfg.NumFrames(e.received) {
		clear(e.frame[e.filled:])
		e.emit(dst)
	}
	e.check(dst)
	e.Reset()
}

// Reset forgets the signal, for the next one.
func (e *Extractor) Reset() {
	e.f0.Reset()
	e.restart()
}

// restart sets the mel part to the beginning of a signal, whose first frame has half a window of zeros before it.
func (e *Extractor) restart() {
	clear(e.frame)
	e.filled = e.cfg.WinLength / 2
	e.received, e.emitted = 0, 0
}

// adopt makes sure that the frames in dst are of our kind.
func (e *Extractor) adopt(dst *Frames) {
	if dst.NMels == 0 {
		dst.NMels = e.cfg.NMels
	}
	if dst.NMels != e.cfg.NMels {
		panic(fmt.Sprintf("features: frames of %d mel bands, want %d", dst.NMels, e.cfg.NMels))
	}
	e.check(dst)
}

func (e *Extractor) check(dst *Frames) {
	if len(dst.F0) != dst.Len() || len(dst.LogEnergy) != dst.Len() {
		panic(fmt.Sprintf("features: %d frames of log-mel with %d of F0 and %d of energy", dst.Len(), len(dst.F0), len(dst.LogEnergy)))
	}
}

// push takes the samples into the frame and emits whenever it is full. It does the mel and the energy only.
func (e *Extractor) push(dst *Frames, x []float32) {
	for len(x) > 0 {
		room := e.frame[e.filled:]
		n := min(len(room), len(x))
		for i, v := range x[:n] {
			room[i] = float64(v)
		}
		e.filled += n
		x = x[n:]
		if e.filled == len(e.frame) {
			e.emit(dst)
		}
	}
}

// emit appends the log-mel and the energy of the frame, then moves it on by a hop.
func (e *Extractor) emit(dst *Frames) {
	e.stft.Forward(e.spectrum, e.frame)
	rms := math.Sqrt(e.power() / e.energy)
	dst.LogEnergy = append(dst.LogEnergy, float32(math.Log(max(rms, energyFloor))))

	for k, c := range e.spectrum[:e.bank.last] {
		e.magnitude[k] = math.Sqrt(real(c)*real(c) + imag(c)*imag(c))
	}
	e.bank.Apply(e.mel, e.magnitude)
	for _, v := range e.mel {
		dst.LogMel = append(dst.LogMel, e.cfg.NormalizeMel(v))
	}

	copy(e.frame, e.frame[e.cfg.Hop:])
	e.filled = len(e.frame) - e.cfg.Hop
	e.emitted++
}

// power is the sum of the squares of the windowed frame, of what of it lies below SpeechHz.
func (e *Extractor) power() float64 {
	var power float64
	if e.heard == e.cfg.Bins() {
		for i, w := range e.stft.Window() {
			v := w * e.frame[i]
			power += v * v
		}
		return power
	}
	for k, c := range e.spectrum[:e.heard] { // Parseval
		p := real(c)*real(c) + imag(c)*imag(c)
		if k > 0 {
			p *= 2
		}
		power += p
	}
	return power / float64(e.cfg.NFFT)
}

// Extract computes the features of a whole signal, NumFrames(len(x)) frames. It is an error if cfg is not valid.
func Extract(cfg Config, x []float32) (Frames, error) {
	e, err := NewExtractor(cfg)
	if err != nil {
		return Frames{}, err
	}
	f := Frames{NMels: cfg.NMels}
	f.Grow(cfg.NumFrames(len(x)))
	e.Process(&f, x)
	e.Flush(&f)
	return f, nil
}

// ExtractRecording is Extract with the F0 of TrackRecording, which knows the whole recording: for files and for training. Mels
// and energies are the same.
func ExtractRecording(cfg Config, x []float32) (Frames, error) {
	if err := cfg.Validate(); err != nil {
		return Frames{}, err
	}
	p, err := NewPieces(cfg, TrackRecording(cfg, x))
	if err != nil {
		return Frames{}, err
	}
	f := Frames{NMels: cfg.NMels}
	f.Grow(cfg.NumFrames(len(x)))
	p.Process(&f, x)
	p.Flush(&f)
	return f, nil
}
