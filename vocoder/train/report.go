package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/plot"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/vocoder"
)

// ErrSuspect is what Run returns when the vocoder that it trained does not make speech. The vocoder is there, under a name with
// ".suspect" in it.
var ErrSuspect = errors.New("the vocoder does not make speech of the log-mels of speech")

var curves = []run.Curve{
	{Title: "Log-spectrum (L1)", Names: []string{"spectral", "valid_spectral"}},
	{Title: "Spectral convergence", Names: []string{"convergence", "valid_convergence"}},
	{Title: "Log-mel (L1, normalised)", Names: []string{"mel", "valid_mel"}},
	{Title: "Adversarial", Names: []string{"adv_d", "adv_g"}},
	{Title: "Feature matching (L1)", Names: []string{"matching"}},
	{Title: "Gradient norms", Names: []string{"norm", "norm_d"}},
}

const (
	sampleCount   = 4
	sampleSeconds = 12
)

// report copies a few recordings, held-out ones where there are, into samples/step-N, each a WAV and pictures beside those of the
// original, and writes report.html over all. It returns what is wrong with each copy that is not like speech.
func (r *runner) report(net *vocoder.Net, step int) (faults []string, count int, err error) {
	dir := filepath.Join(r.dir, "samples", fmt.Sprintf("step-%08d", step))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, 0, fmt.Errorf("samples: %w", err)
	}
	board := run.OpenBoard(r.dir, step+1, r.say)
	defer board.Close()
	var made []run.Sample
	chosen := run.Turns(sampleCount, len(r.speech.speakers), func(u utterance) int { return u.speaker }, r.speech.valid, r.speech.train)
	for i, u := range chosen {
		r.say.Count("copying samples", i, len(chosen))
		speaker, name := r.speech.speakers[u.speaker].Name, strings.TrimSuffix(filepath.Base(u.path), filepath.Ext(u.path))
		s, err := sampleOf(net, u)
		if err != nil {
			return nil, 0, fmt.Errorf("sample %s: %w", name, err)
		}
		s.Title = speaker + ": " + name
		if err := s.Write(filepath.Join(dir, speaker+"-"+name)); err != nil {
			return nil, 0, err
		}
		s.Show(board, step, "copy", speaker+"/"+name)
		if s.Fault != "" {
			faults = append(faults, fmt.Sprintf("%s is %s", s.Title, s.Fault))
		}
		made = append(made, s)
	}
	r.say.Finish()
	return faults, len(made), r.page(made, step).Write(r.dir)
}

// sampleOf copies the beginning of a recording: its log-mel and F0 are all that the vocoder is given.
func sampleOf(net *vocoder.Net, u utterance) (s run.Sample, err error) {
	cfg := net.Features()
	original := u.frames.Slice(0, min(u.frames.Len(), sampleSeconds*cfg.SampleRate/cfg.Hop))
	length := original.Len() * cfg.Hop
	stream := net.NewStream(1)
	sound := stream.FlushTo(stream.Process(nil, original.LogMel, original.F0), length)
	for i, v := range sound {
		if v-v != 0 {
			s.Fault, sound[i] = "not finite", 0
		}
	}
	copied, err := features.ExtractRecording(cfg, sound)
	if err != nil {
		return s, err
	}
	if s.Fault == "" {
		s.Fault = run.Fault(cfg, original, copied)
	}
	err = errors.Join(
		s.Add("the vocoder's copy", audio.Clip{Rate: cfg.SampleRate, Samples: sound}),
		s.Add("the recording", audio.Clip{Rate: cfg.SampleRate, Samples: u.sound[:length]}),
		s.Draw([]plot.Mel{plot.FromFrames("recording", cfg, original), plot.FromFrames("copy", cfg, copied)}, "recording and copy"),
	)
	return s, err
}

func (r *runner) page(samples []run.Sample, step int) run.Page {
	c := r.req.Config
	name := r.dir
	if whole, err := filepath.Abs(r.dir); err == nil {
		name = filepath.Base(whole)
	}
	p := run.Page{
		Title: name, Program: r.o.Version, Device: r.device.String(), Preset: c.Preset, Steps: step, Of: c.Steps, Batch: c.Batch,
		Samples: samples,
		Scores: run.Scores{
			About:   "Distances between held-out recordings and the vocoder's copies, so less is better; the row in bold is the best snapshot.",
			Columns: []run.Score{{Head: "log-spectrum", Metric: "valid_spectral"}, {Head: "convergence", Metric: "valid_convergence"}, {Head: "log-mel", Metric: "valid_mel"}},
			Best:    r.best.Step,
		},
	}
	for _, s := range r.speech.speakers {
		p.Voices = append(p.Voices, run.Voice{Name: s.Name, Seconds: s.Seconds})
	}
	lint, _ := os.ReadFile(filepath.Join(r.dir, "lint.txt"))
	p.Lint = string(lint)
	return p
}

// verdict is the error of a run most of whose samples are not speech, or nil.
func (r *runner) verdict(faults []string, samples int) error {
	c := r.req.Config
	if !run.Suspect(faults, samples, c.Steps, func(format string, a ...any) { r.say.Linef("warning: "+format, a...) }) {
		return nil
	}
	name, rate := "discRate", c.DiscRate
	if c.SpectralSteps() >= c.Steps {
		name, rate = "learningRate", c.LearningRate
	}
	return fmt.Errorf("%w: %d of %d samples: %s: listen to %s, look at %s for where the losses went wrong, and begin again with a lower rate (--set %s=%g) or with more and cleaner recordings",
		ErrSuspect, len(faults), samples, strings.Join(faults, "; "), filepath.Join(r.dir, "samples"), filepath.Join(r.dir, "losses.png"), name, rate/2)
}

// The vocoder of a run is that of its best snapshot, by the distances of held-out copies. Discriminators make a copy clearer and
// not nearer, so only the second half of the last phase counts.

// bestFrom is the number of steps after which snapshots stand for election.
func (c Config) bestFrom() int {
	w := c.SpectralSteps()
	if w >= c.Steps {
		return c.Steps / 2
	}
	return w + (c.Steps-w)/2
}

// keepBest saves the networks if they are the best so far.
func (r *runner) keepBest(made int, scores map[string]float32) {
	if made < r.req.Config.bestFrom() {
		return
	}
	b, elected := r.best.Elect(made, float64(scores["valid_spectral"])+float64(scores["valid_mel"]))
	if !elected {
		return
	}
	if err := r.snapshots().SaveBest(r.engine.vars, b); err != nil {
		r.unsaved.Note(r.say, made, err)
		return
	}
	r.best = b
}

// chosen is the weights that the vocoder is made of, and the steps that they have had: those of the best snapshot of a finished
// run, else as they are.
func (r *runner) chosen(done int) (weights map[string][]float32, steps int, err error) {
	vars, steps := r.engine.vars, done
	if done == r.req.Config.Steps && !r.o.Last && r.best.Step > 0 && r.best.Step != done {
		best, b, err := r.snapshots().LoadBest()
		switch {
		case err != nil || best == nil:
			r.say.Linef("warning: the best snapshot cannot be read (%v): the vocoder is that of the last step", err)
		default:
			r.say.Linef("the vocoder is that of step %d, the best by held-out speech: it got worse since; `--resume --last` takes the last step's instead", b.Step)
			vars, steps = best, b.Step
		}
	}
	weights = map[string][]float32{}
	for _, p := range r.req.Config.Net.Params() {
		if weights[p.Name], _, err = vars.Get(mlx.GroupEMA, p.Name); err != nil {
			return nil, 0, err
		}
	}
	return weights, steps, nil
}
