package bench

import (
	"context"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/synth"
	"github.com/starvc/vc/vocoder"
)

// Stage is one part of the way from input to output. Both are parts of the sound's duration: in the chunks of
// a live setting, and in pieces of a second, as files are done. Processor time where the system has that clock.
type Stage struct {
	Name    string  `json:"name"`
	LiveRTF float64 `json:"liveRtf"`
	FileRTF float64 `json:"fileRtf"`
}

// The stages in their order.
const (
	resampleIn = iota
	leveling
	melEnergy
	pitch
	generator
	synthesis
	resampleOut
	stages
)

func (r *Report) measureStages(ctx context.Context, o Options) error {
	live := o.Settings[o.Stages]
	names := [stages]string{"resample in", "level", "mel, energy", "pitch", "generator", "vocoder", "resample out"}
	var rtf [2][stages]float64
	for i, every := range []time.Duration{live.Chunk, time.Second} {
		if err := runStages(ctx, o, live.Stream, every, &rtf[i]); err != nil {
			return err
		}
	}
	for i, name := range names {
		r.Stages = append(r.Stages, Stage{name, rtf[0][i], rtf[1][i]})
	}
	return nil
}

// runStages does what a vc.Stream does, with a stopwatch between the parts.
func runStages(ctx context.Context, o Options, s vc.StreamOptions, every time.Duration, rtf *[stages]float64) error {
	cfg := o.Model.Features
	in, err := audio.NewLiveResampler(s.InputRate, cfg.SampleRate)
	if err != nil {
		return err
	}
	out, err := audio.NewLiveResampler(cfg.SampleRate, s.OutputRate)
	if err != nil {
		return err
	}
	level, err := audio.NewLeveler(cfg.SampleRate)
	if err != nil {
		return err
	}
	extractor, err := features.NewExtractor(cfg)
	if err != nil {
		return err
	}
	tracker := features.NewF0Tracker(cfg)
	gen, err := gan.NewGenerator(o.Model, s.LookAhead)
	if err != nil {
		return err
	}
	gen.SetStyle(o.Model.Style(0))
	name, net, err := synth.Choose(synth.Vocoder(s.Vocoder), cfg, func() (*vocoder.Net, error) { return synth.FindNet(o.Model) })
	if err != nil {
		return err
	}
	voc, err := synth.NewLive(cfg, name, net, s.VocoderPasses)
	if err != nil {
		return err
	}

	x := Voice(s.InputRate, int((o.Duration+warmUp).Seconds()*float64(s.InputRate)))
	pieces := vc.NewPieces(s.InputRate, 1, every)
	var took [stages]time.Duration
	var a, f0, controls, logMel, y, z []float32
	frames := features.Frames{NMels: cfg.NMels}
	at, begun := 0, 0
	for {
		n := pieces.Next()
		if at+n > len(x) {
			break
		}
		if begun == 0 && at >= s.InputRate*int(warmUp/time.Second) {
			begun = at
			took = [stages]time.Duration{}
		}
		clock := start()
		lap := func(stage int) {
			_, t := clock.times()
			took[stage] += t
			clock = start()
		}
		a = in.Process(a[:0], x[at:at+n])
		lap(resampleIn)
		level.Process(a)
		lap(leveling)
		f0 = tracker.Process(f0[:0], a)
		lap(pitch)
		frames.Clear()
		extractor.Process(&frames, a) // which holds another tracker
		lap(melEnergy)
		controls = gan.AppendControls(controls[:0], frames.F0, frames.LogEnergy)
		logMel = gen.Process(logMel[:0], frames.LogMel, controls)
		lap(generator)
		y = voc.Process(y[:0], logMel, frames.F0[:len(logMel)/cfg.NMels])
		lap(synthesis)
		level.Restore(y)
		lap(leveling)
		z = out.Process(z[:0], y)
		lap(resampleOut)
		at += n
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	took[melEnergy] -= min(took[melEnergy], took[pitch])
	for i, t := range took {
		rtf[i] = t.Seconds() * float64(s.InputRate) / float64(at-begun)
	}
	return nil
}
