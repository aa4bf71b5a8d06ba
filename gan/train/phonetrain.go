package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/runlog"
)

// TrainPhones trains a phone network as `vc train phones` does, scores it, and writes it. When ctx is cancelled the network
// is written as it is then, and ErrStopped returned.
func TrainPhones(ctx context.Context, o PhoneOptions) error {
	t := &phoneTrainer{o: o, say: newReporter(o.Stderr, o.Quiet)}
	return t.run(ctx)
}

type phoneTrainer struct {
	o      PhoneOptions
	cfg    PhoneConfig
	say    *reporter
	speech *phoneSpeech
	engine *engine
	log    *metricsLog // nil without a run folder
}

func (p *phoneTrainer) run(ctx context.Context) (err error) {
	if err := p.configure(); err != nil {
		return err
	}
	if err := runlog.CheckWritable(p.o.Output); err != nil {
		return err
	}
	if p.speech, err = readPhoneSpeech(ctx, p.o, p.cfg, p.say); err != nil {
		return err
	}
	if p.o.RunDir != "" {
		if err := p.openRun(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.log.Close()) }()
	}
	p.introduce()

	device, err := mlx.FindDevice(p.o.Device)
	if err != nil {
		return err
	}
	backend, err := device.Open()
	if err != nil {
		return err
	}
	defer backend.Finalize()
	p.say.Linef("training on %s", device)
	if p.engine, err = newPhoneEngine(p.cfg); err != nil {
		return err
	}
	p.engine.backend, p.engine.native = backend, device.NativeConv()

	done, err := p.loop(ctx, device)
	if err != nil {
		return err
	}
	if err := p.finish(done); err != nil {
		return err
	}
	if done < p.cfg.Steps {
		p.say.Linef("stopped after step %d of %d; the network so far is %s", done, p.cfg.Steps, p.o.Output)
		return ErrStopped
	}
	p.say.Linef("phone network: %s (use it with `vc train --phones %s --preset %s`)", p.o.Output, p.o.Output, p.cfg.Preset)
	return nil
}

func (p *phoneTrainer) configure() error {
	preset := p.o.Preset
	if preset == "" {
		preset = "medium"
	}
	cfg, err := DefaultPhoneConfig(preset)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		value int
		to    *int
	}{{p.o.Steps, &cfg.Steps}, {p.o.Batch, &cfg.Batch}} {
		if f.value > 0 {
			*f.to = f.value
		}
	}
	if p.o.Seed > 0 {
		cfg.Seed = p.o.Seed
	}
	for _, s := range p.o.Set {
		if err := cfg.applySet(s); err != nil {
			return err
		}
	}
	p.cfg = cfg
	return cfg.Validate()
}

// newPhoneEngine holds a new phone network's weights and the optimizer's state; it has no backend yet.
func newPhoneEngine(cfg PhoneConfig) (*engine, error) {
	vars := mlx.NewVars()
	if err := initialise(vars, PhoneParams(cfg.GAN, corpus.PhoneCount), cfg.Seed); err != nil {
		return nil, err
	}
	e := newEngine(Config{GAN: cfg.GAN, Features: cfg.Features}, nil, false, vars, nil, true)
	e.adam = mlx.AdamW{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, WeightDecay: cfg.WeightDecay, Clip: cfg.Clip}
	if err := e.adam.Prepare(vars, phonePrefix); err != nil {
		return nil, err
	}
	return e, mlx.PrepareEMA(vars, phonePrefix)
}

// openRun makes the run folder: config.json and metrics.jsonl.
func (p *phoneTrainer) openRun() error {
	entries, err := os.ReadDir(p.o.RunDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("run folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("run folder %s is not empty: name another with --run", p.o.RunDir)
	}
	if err := os.MkdirAll(p.o.RunDir, 0o755); err != nil {
		return fmt.Errorf("run folder: %w: name a folder that can be written with --run", err)
	}
	b, err := json.MarshalIndent(struct {
		Config   PhoneConfig `json:"config"`
		Speakers string      `json:"speakers"`
		Labels   string      `json:"labels"`
		HoldOut  []string    `json:"holdOut,omitempty"`
	}{p.cfg, p.o.Speakers, p.o.Labels, p.o.HoldOut}, "", "  ")
	if err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	err = audio.WriteAtomic(filepath.Join(p.o.RunDir, "config.json"), func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
	if err != nil {
		return err
	}
	p.log, err = runFolder{p.o.RunDir}.openMetrics(0)
	return err
}

func (p *phoneTrainer) introduce() {
	minutes := func(us []labelled) float64 {
		frames := 0
		for _, u := range us {
			frames += u.frames.Len()
		}
		return float64(frames) * float64(p.cfg.Features.Hop) / float64(p.cfg.Features.SampleRate) / 60
	}
	s := p.speech
	if s.seen() {
		p.say.Linef("%d speakers, %.1f minutes to train on; scored on %.1f minutes of the SAME speakers (hold some out for an honest score)",
			len(s.speakers), minutes(s.train), minutes(s.score))
		return
	}
	p.say.Linef("%d speakers, %.1f minutes to train on; scored on %.1f minutes of %d other speakers",
		len(s.speakers)-len(p.o.HoldOut), minutes(s.train), minutes(s.score), len(p.o.HoldOut))
}

// loop makes the steps and returns how many were made.
func (p *phoneTrainer) loop(ctx context.Context, device mlx.Device) (done int, err error) {
	c := p.cfg
	batches := make(chan *phoneBatch, 2)
	stop := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		batcher := newPhoneBatcher(c, p.speech.train)
		for step := range c.Steps {
			select {
			case batches <- batcher.at(step):
			case <-stop:
				return
			}
		}
	}()
	defer func() { close(stop); <-finished }()

	machine := runlog.WatchMachine(device)
	defer machine.Close()
	p.say.Linef("first step: compiling takes a while")
	began := time.Now()
	var warm time.Time
	skipped := 0 // in a row
	var pending []record
	flush := func() error {
		if p.log == nil {
			pending = pending[:0]
			return nil
		}
		err := p.log.Add(pending)
		pending = pending[:0]
		return err
	}
	defer func() { err = errors.Join(err, flush()) }()
	for step := 0; step < c.Steps && ctx.Err() == nil; step++ {
		asked := time.Now()
		batch := <-batches
		machine.Waited(time.Since(asked))
		out, err := p.engine.learnPhones(c, batch, step)
		if err != nil {
			return step, err
		}
		m := record{Step: step, Rate: c.rate(step), Metrics: map[string]float32{}}
		for i, v := range out.Fetch() {
			m.Metrics[out.Names[i]] = v
		}
		pending = append(pending, m)
		skipped++
		if m.Metrics["ok"] != 0 {
			skipped = 0
		}
		if skipped > 0 {
			p.say.Linef("warning: step %d was skipped: its loss or gradient was not finite", step+1)
		}
		if skipped >= runlog.MaxSkipped {
			return step, fmt.Errorf("%d steps in a row were not finite: lower the rate (--set learningRate=%g)", skipped, c.LearningRate/2)
		}
		if step == 0 {
			warm = time.Now()
			machine.Begin(1)
			p.say.Linef("first step done after %v", warm.Sub(began).Round(100*time.Millisecond))
		}
		if made := step + 1; made%c.LogEvery == 0 {
			machine.Lap(made, m.Metrics)
			if err := flush(); err != nil {
				return made, err
			}
			perSecond := float64(step) / time.Since(warm).Seconds()
			left := time.Duration(float64(c.Steps-made) / perSecond * float64(time.Second)).Round(time.Second)
			p.say.Progress(fmt.Sprintf("phones %s step %d/%d  loss %.3f  frames right %.1f %%  %.2f steps/s%s  %s left", bar(made, c.Steps), made, c.Steps,
				m.Metrics["loss"], 100*m.Metrics["accuracy"], perSecond, machine.Busy(), left))
		}
		if made := step + 1; c.ScoreEvery > 0 && made%c.ScoreEvery == 0 && made < c.Steps {
			if err := p.score(made, c.GAN.StemFuture, false); err != nil {
				return made, err
			}
		}
		done = step + 1
	}
	p.say.Finish()
	if line := machine.Verdict(fmt.Sprintf("--batch %d", 2*c.Batch)); line != "" {
		p.say.Linef("%s", line)
	}
	return done, nil
}

// score scores the averaged network after a number of steps and tells and writes the result: one line, or a table.
func (p *phoneTrainer) score(made, lookAhead int, table bool) error {
	scores, err := p.engine.scorePhones(p.cfg, p.speech, lookAhead)
	if err != nil {
		return err
	}
	groups := groupScores(p.speech.speakers, scores)
	all := groups[len(groups)-1].score
	who := "other speakers"
	if p.speech.seen() {
		who = "speakers seen in training"
	}
	p.say.Linef("step %d: on %s, %d frames ahead: frames right %.1f %%, phone errors %.1f %%", made, who, lookAhead, 100*all.Accuracy(), 100*all.ErrorRate())
	if table && !p.o.Quiet && p.o.Stderr != nil {
		p.say.Finish()
		if err := writeScores(p.o.Stderr, "speaker", groups); err != nil {
			return err
		}
	}
	if p.log == nil {
		return nil
	}
	m := record{Step: made - 1, Rate: p.cfg.rate(made - 1), Metrics: map[string]float32{"look_ahead": float32(lookAhead)}}
	for _, g := range groups {
		m.Metrics["frames_right_"+g.name] = float32(g.score.Accuracy())
		m.Metrics["phone_errors_"+g.name] = float32(g.score.ErrorRate())
	}
	return p.log.Add([]record{m})
}

// finish brings the hidden layer to scale, writes the network, and scores it with and without look-ahead.
func (p *phoneTrainer) finish(made int) error {
	if err := p.engine.scaleHidden(p.cfg, p.speech.train); err != nil {
		return err
	}
	if err := p.engine.savePhones(p.o, p.cfg, made); err != nil {
		return err
	}
	for _, lookAhead := range []int{0, p.cfg.GAN.StemFuture} {
		if err := p.score(made, lookAhead, true); err != nil {
			return err
		}
		if p.cfg.GAN.StemFuture == 0 {
			break
		}
	}
	return nil
}
