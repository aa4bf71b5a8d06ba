package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/synth"
)

// speech is what a judge is trained on and scored with.
type speech struct {
	names   []string      // of the speakers trained on
	classes [][]recording // by speaker and speed, speed varying fastest
	heldOut []string
	score   [][][]float32 // recordings of the speakers held out, and, without any, of those trained on
	minutes float64       // of speech to train on, every way of hearing it counted
}

// recording is what judge.Hear gives of a file, [frames, nMels].
type recording struct {
	path string
	mels []float32
}

// heard is one way of hearing one recording.
type heard struct {
	path    string
	to      *[]float32
	speed   float64
	vocoded bool
}

func readSpeech(ctx context.Context, q request, names run.Names, progress func(done, total int)) (*speech, error) {
	c := q.Config
	part, err := parsePart(q.Part)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", names.Of("part", strconv.Quote(q.Part)), err)
	}
	all, err := corpus.Scan(q.Speakers)
	if err != nil {
		return nil, err
	}
	for _, name := range q.HoldOut {
		if !slices.ContainsFunc(all, func(s corpus.Speaker) bool { return s.Name == name }) {
			return nil, fmt.Errorf("%s: %q is no speaker of %s", names.Of("hold-out"), name, q.Speakers)
		}
	}
	r := rand.New(rand.NewPCG(c.Seed, 0x6a75646765))
	s := &speech{}
	var jobs []heard
	for _, speaker := range all {
		if slices.Contains(q.HoldOut, speaker.Name) {
			files := speaker.Files
			some := make([][]float32, min(len(files), c.ScoreEach))
			for i := range some {
				jobs = append(jobs, heard{files[i*len(files)/len(some)], &some[i], 1, false})
			}
			s.heldOut, s.score = append(s.heldOut, speaker.Name), append(s.score, some)
			continue
		}
		files := part.files(speaker.Files)
		if len(files) == 0 {
			return nil, fmt.Errorf("%s: nothing of the %d recordings of %s falls into it", names.Of("part", q.Part), len(speaker.Files), speaker.Name)
		}
		s.names = append(s.names, speaker.Name)
		for _, speed := range c.Speeds {
			class := make([]recording, len(files), 2*len(files))
			for i, path := range files {
				class[i].path = path
				jobs = append(jobs, heard{path, &class[i].mels, speed, false})
				if r.Float64() < c.VocodedShare {
					class = append(class, recording{path: path}) // within its capacity: jobs point into it
					jobs = append(jobs, heard{path, &class[len(class)-1].mels, speed, true})
				}
			}
			s.classes = append(s.classes, class)
		}
	}
	if len(s.names) < 2 {
		return nil, fmt.Errorf("judge training: %d speakers to train on, want 2 or more", len(s.names))
	}
	if err := hearAll(ctx, c, jobs, progress); err != nil {
		return nil, err
	}
	return s, s.clean(c, len(q.HoldOut) > 0)
}

// clean takes out what is too short, and complains of speakers of whom nothing is left, and where too little is left to score.
func (s *speech) clean(c Config, scoreOthers bool) error {
	nMels := c.Judge.Features.NMels
	tooShort := func(x []float32) bool { return len(x) < judge.MinFrames*nMels }
	for i := range s.classes {
		heard := 0
		for _, x := range s.classes[i] {
			heard += len(x.mels) / nMels
		}
		s.classes[i] = slices.DeleteFunc(s.classes[i], func(x recording) bool { return tooShort(x.mels) })
		if len(s.classes[i]) == 0 {
			return fmt.Errorf("judge training: speaker %s has no recording of half a second of speech", s.names[i/len(c.Speeds)])
		}
		s.minutes += float64(heard*c.Judge.Features.Hop) / float64(c.Judge.Features.SampleRate) / 60
	}
	for i := range s.score {
		s.score[i] = slices.DeleteFunc(s.score[i], tooShort)
	}
	remedy := "hold out two speakers or more who have"
	if !scoreOthers {
		remedy = "give recordings of two speakers or more who have"
		for i := range s.names { // at the speed of the recording
			own := s.classes[i*len(c.Speeds)+slices.Index(c.Speeds, 1)]
			var some [][]float32
			for _, x := range own[:min(len(own), c.ScoreEach)] {
				some = append(some, x.mels)
			}
			s.score = append(s.score, some)
		}
	}
	most, scored := 0, 0
	for _, recordings := range s.score {
		most = max(most, len(recordings))
		if len(recordings) > 0 {
			scored++
		}
	}
	if most < 2 || scored < 2 {
		return fmt.Errorf("judge training: too little to score: it takes two recordings of one voice and one of another, of half a second of speech each: %s them", remedy)
	}
	return nil
}

func hearAll(ctx context.Context, c Config, jobs []heard, progress func(done, total int)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan heard)
	var wait sync.WaitGroup
	var mutex sync.Mutex
	done := 0
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for job := range queue {
				if err := job.hear(ctx, c); err != nil {
					cancel(fmt.Errorf("%s: %w", job.path, err))
				}
				mutex.Lock()
				done++
				progress(done, len(jobs))
				mutex.Unlock()
			}
		})
	}
feed:
	for _, job := range jobs {
		select {
		case queue <- job:
		case <-ctx.Done():
			break feed
		}
	}
	close(queue)
	wait.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// hear reads the recording. At another speed the samples are taken for those of another rate.
func (h heard) hear(ctx context.Context, c Config) error {
	clip, err := audio.ReadFile(h.path)
	if err != nil {
		return err
	}
	cfg := c.Judge.Features
	rate := int(math.Round(float64(clip.Rate)*h.speed/100)) * 100 // round figures make short filters
	recording, err := features.Analyze(cfg, audio.Clip{Samples: clip.Samples, Rate: rate})
	if err != nil {
		return err
	}
	f := recording.Frames
	if h.vocoded {
		y, err := synth.Vocode(ctx, cfg, synth.SourceFilter, f, len(recording.Samples))
		if err != nil {
			return err
		}
		if f, err = features.Extract(cfg, y); err != nil {
			return err
		}
	}
	*h.to = judge.Hear(c.Judge, f)
	return nil
}

// describe says what the training is about, and what is known of the score's honesty.
func (s *speech) describe(part string) string {
	text := fmt.Sprintf("%d speakers at %d speeds, %.0f minutes of speech to train on, at all speeds and through the vocoder", len(s.names), len(s.classes)/len(s.names), s.minutes)
	if part != "" {
		text += fmt.Sprintf(" (part %s of their recordings)", part)
	}
	if len(s.heldOut) == 0 {
		return text + "; scored on the SAME speakers (hold some out for an honest score)"
	}
	return text + "; scored on " + strings.Join(s.heldOut, ", ")
}

// batch is one step's input.
type batch struct {
	x      []float32 // [batch, cropFrames, nMels]
	target []float32 // [batch, classes], one-hot
	files  []string  // [batch] where the crops are from
}

// at draws a step's batch: a pure function of the seed and the step. All classes are equally likely.
func (s *speech) at(c Config, step int) batch {
	n, m := c.CropFrames, c.Judge.Features.NMels
	r := rand.New(rand.NewPCG(c.Seed^0x6a756467, uint64(step)))
	b := batch{x: make([]float32, c.Batch*n*m), target: make([]float32, c.Batch*len(s.classes)), files: make([]string, c.Batch)}
	for i := range c.Batch {
		class := r.IntN(len(s.classes))
		b.target[i*len(s.classes)+class] = 1
		drawn := s.classes[class][r.IntN(len(s.classes[class]))]
		recording := drawn.mels
		b.files[i] = drawn.path
		x := b.x[i*n*m : (i+1)*n*m]
		frames := len(recording) / m
		start := r.IntN(max(1, frames-n+1))
		for t := range n { // a short one is repeated
			copy(x[t*m:(t+1)*m], recording[(start+t)%frames*m:][:m])
		}
		disturb(r, c, x)
	}
	return b
}

// disturb gives x [frames, nMels] another microphone and another room: slope and bow of the spectrum, noise, a range of
// bands that is lost. Noise adds in power.
func disturb(r *rand.Rand, c Config, x []float32) {
	m := c.Judge.Features.NMels
	even := func(span float64) float64 { return (2*r.Float64() - 1) * span }
	slope, bow := even(c.TiltRange), even(c.TiltRange)
	noisy := r.Float64() < c.NoiseShare
	noiseSlope, noiseBow := even(2*c.TiltRange), even(2*c.TiltRange)
	snr := c.MinSNRDB + r.Float64()*(c.MaxSNRDB-c.MinSNRDB)
	scale := c.Judge.Features.MelScale
	tilt, noise := make([]float32, m), make([]float64, m)

	var loud float64 // mean power over frames and bands
	for _, v := range x {
		loud += math.Exp(2 * scale * float64(v))
	}
	loud /= float64(len(x))
	for k := range m {
		e := 2*float64(k)/float64(m-1) - 1
		tilt[k] = float32(slope*e + bow*(e*e-1.0/3))
		noise[k] = loud * math.Pow(10, -snr/10) * math.Exp(2*scale*(noiseSlope*e+noiseBow*(e*e-1.0/3)))
	}
	if noisy {
		for i, v := range x {
			// The power of noise in a band of a frame varies about as that of two or three independent bins.
			n := noise[i%m] * (r.ExpFloat64() + r.ExpFloat64()) / 2
			x[i] = float32(math.Log(math.Exp(2*scale*float64(v))+n) / (2 * scale))
		}
	}
	for i := range x {
		x[i] += tilt[i%m]
	}
	judge.Level(x)
	if r.Float64() < c.MaskShare {
		wide := 1 + r.IntN(c.MaskBands)
		from := r.IntN(m - wide + 1)
		for t := range len(x) / m {
			clear(x[t*m+from : t*m+from+wide])
		}
	}
}
