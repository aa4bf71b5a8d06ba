// Package bench measures how fast this machine converts: whole recordings, live streams chunk by chunk, the stages that
// they are made of, the matrix kernel, and how long a model takes to load.
//
// Everything runs on one core: one thread of its own, with the garbage collector on no other. Two clocks are read where
// the system has both. The wall clock is what a listener has; other programs on the machine make it worse. The thread's
// processor time is what the work costs, and can be compared between runs.
package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/simd"
)

// Setting is one way to run a stream.
type Setting struct {
	Name   string
	Chunk  time.Duration
	Stream vc.StreamOptions
}

// Options say what is measured.
type Options struct {
	Model    *gan.Model
	Path     string        // the model's file; "" writes one to a temporary folder
	Vocoder  vc.Vocoder    // of the file conversion, "" for the default
	Settings []Setting     // at least one
	Stages   int           // number of the setting whose stages are measured
	Duration time.Duration // of the sound in each measurement
	// Say is told what comes next; may be nil.
	Say func(what string)
}

// Report holds what was measured. Times are in milliseconds; an RTF is the time of computing divided by the duration
// of the sound, so that below 1 is faster than real time.
type Report struct {
	Machine Machine  `json:"machine"`
	Model   Model    `json:"model"`
	File    File     `json:"file"`
	Streams []Stream `json:"streams"`
	Stages  []Stage  `json:"stages"`
	Kernels []Kernel `json:"kernels"`
	Load    Load     `json:"load"`
}

// Machine is what the figures hold for.
type Machine struct {
	System string `json:"system"`
	Cores  int    `json:"cores"` // that there are; one is used
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	// ThreadClock says whether the processor times are known.
	ThreadClock bool `json:"threadClock"`
}

// Model is what was run.
type Model struct {
	Name       string  `json:"name"`
	SampleRate int     `json:"sampleRate"`
	Speakers   int     `json:"speakers"`
	Weights    int     `json:"generatorWeights"`
	MACs       float64 `json:"macsPerSecond"` // multiplications of the generator per second of sound
}

// File is the conversion of a recording.
type File struct {
	Seconds float64 `json:"seconds"` // of sound
	Vocoder string  `json:"vocoder"`
	RTF     float64 `json:"rtf"`
	CPURTF  float64 `json:"cpuRtf"`
}

// Stream is a live stream.
type Stream struct {
	Name              string      `json:"name"`
	Rate              int         `json:"rate"` // Hz, in and out
	ChunkMS           float64     `json:"chunkMs"`
	LookAhead         int         `json:"lookAhead"` // frames
	DelayMS           float64     `json:"delayMs"`   // without computing
	RTF               float64     `json:"rtf"`
	CPURTF            float64     `json:"cpuRtf"`
	Wall              Percentiles `json:"chunkWallMs"`
	CPU               Percentiles `json:"chunkCpuMs"`
	AllocationsAChunk float64     `json:"allocationsPerChunk"`
}

// Percentiles of the time that a chunk takes, in milliseconds.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Run measures all. It takes a few times Duration/10, and locks its goroutine to a thread while it runs.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Say == nil {
		o.Say = func(string) {}
	}
	cores := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(cores)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	m := o.Model
	_, clock := threadTime()
	r := &Report{
		Machine: Machine{System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(), Kernel: simd.Name(), Go: runtime.Version(), ThreadClock: clock},
		Model: Model{
			Name: m.Trained.Preset, SampleRate: m.Features.SampleRate, Speakers: len(m.Speakers),
			Weights: count(m.Config.GeneratorParams()), MACs: macs(m),
		},
	}
	path := o.Path
	if path == "" {
		dir, err := os.MkdirTemp("", "vc-bench-*")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		path = filepath.Join(dir, "model.safetensors")
		if err := m.Save(path, gan.Full); err != nil {
			return nil, err
		}
	}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"loading", func() error { return r.measureLoad(path, o.Settings[0]) }},
		{"kernels", func() error { r.Kernels = measureKernels(); return nil }},
		{"a recording", func() error { return r.measureFile(ctx, o) }},
		{"streams", func() error { return r.measureStreams(ctx, o) }},
		{"stages", func() error { return r.measureStages(ctx, o) }},
	} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		o.Say(step.what)
		if err := step.do(); err != nil {
			return nil, fmt.Errorf("bench: %s: %w", step.what, err)
		}
	}
	return r, nil
}

// Load is the way from a file to sound.
type Load struct {
	Bytes   int64   `json:"bytes"`
	ReadMS  float64 `json:"readMs"`  // reading and checking the file
	FirstMS float64 `json:"firstMs"` // that, packing the weights, and the first sample of output
	CPUMS   float64 `json:"cpuMs"`   // the same in processor time
}

// loadRounds is how often the model is loaded. The best counts: the file is in the system's memory then.
const loadRounds = 3

func (r *Report) measureLoad(path string, s Setting) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	r.Load.Bytes = info.Size()
	for round := range loadRounds {
		runtime.GC()
		t := startAll()
		m, err := vc.Open(path)
		if err != nil {
			return err
		}
		read, _ := t.times()
		stream, err := m.NewStream(m.SpeakerVoice(0), s.Stream)
		if err != nil {
			return err
		}
		x := Voice(s.Stream.InputRate, s.Stream.InputRate)
		pieces := stream.Pieces(s.Chunk)
		var y []float32
		for len(y) == 0 && len(x) > 0 {
			n := min(pieces.Next(), len(x))
			y = stream.Process(y, x[:n])
			x = x[n:]
		}
		first, cpu := t.times()
		if round == 0 || ms(first) < r.Load.FirstMS {
			r.Load.ReadMS, r.Load.FirstMS, r.Load.CPUMS = ms(read), ms(first), ms(cpu)
		}
	}
	return nil
}

func (r *Report) measureFile(ctx context.Context, o Options) error {
	m, ask := vc.New(o.Model), vc.Options{Threads: 1, Vocoder: o.Vocoder}
	name, err := m.ChooseVocoder(o.Vocoder)
	if err != nil {
		return err
	}
	rate := o.Model.Features.SampleRate
	clip := audio.Clip{Samples: Voice(rate, int(o.Duration.Seconds()*float64(rate))), Rate: rate}
	voice := m.SpeakerVoice(0)
	// A first second, so that nothing is measured that happens once.
	if _, err := m.Convert(ctx, audio.Clip{Samples: clip.Samples[:min(rate, len(clip.Samples))], Rate: rate}, voice, ask); err != nil {
		return err
	}
	runtime.GC()
	t := startAll()
	if _, err := m.Convert(ctx, clip, voice, ask); err != nil {
		return err
	}
	wall, cpu := t.times()
	r.File = File{Seconds: clip.Duration().Seconds(), Vocoder: string(name), RTF: ratio(wall, clip.Duration()), CPURTF: ratio(cpu, clip.Duration())}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ratio(d, of time.Duration) float64 { return d.Seconds() / of.Seconds() }

func count(params []gan.Param) (numbers int) {
	for _, p := range params {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		numbers += n
	}
	return numbers
}

// macs counts the generator's multiplications per second of sound: every weight once a frame, but for the styles',
// which are multiplied only when the style changes.
func macs(m *gan.Model) float64 {
	c := m.Config
	styles := c.DecoderBlocks * (c.StyleDim + 1) * 2 * c.Width
	return float64(count(c.GeneratorParams())-styles) * float64(m.Features.SampleRate) / float64(m.Features.Hop)
}
