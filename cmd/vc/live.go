package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/backlog"
	"github.com/starvc/vc/internal/livesound"
)

// live is a running stream.
type live struct {
	env     env
	model   *vc.Model
	stream  *vc.Stream
	set     settings
	in      liveInput
	out     liveOutput
	rate    int // of both
	pieces  vc.Pieces
	begin   beginning
	meter   *meter
	statsTo io.Writer // nil for nobody
	control <-chan string
	found   <-chan foundVoice // the voice that is being made, nil for none
	quiet   bool
	warned  bool
	told    int       // warnings of the input that were printed
	source  vc.Source // what is known of the voice that comes in
	heard   vc.Source // what was learnt of it, once run has ended

	waiting  *backlog.Queue
	playout  backlog.Playout
	unplayed func() time.Duration
	watch    func(in, out []float32)
	came     time.Time // when the last sample came
	lag      int       // samples from the first that goes out now to the last that has come
	cut      int       // samples that are to be dropped
	dropped  int       // samples that were dropped and not told of
	lastDrop time.Time
	toldDrop time.Time

	piece  []float32
	mixer  livesound.Mixer
	opened float32 // how far the gate is open, 0 to 1
	held   int     // samples for which the gate stays open
	output []float32
}

// liveInput is where sound comes from.
type liveInput interface {
	// read waits for sound and puts it into x, one sample at least before its end. The error, io.EOF at the end, may come with samples.
	read(x []float32) (int, error)
	// warnings says what was wrong with the input and was coped with.
	warnings() []string
}

// liveOutput is where sound goes to.
type liveOutput interface {
	write(y []float32) error
}

// beginning is what a stream begins with.
type beginning struct {
	voice    vc.Voice
	latency  livesound.Latency
	pace     backlog.Pace
	maxDelay time.Duration
	lines    []string // of the control file
}

// foundVoice is a voice that a line of the control file asked for.
type foundVoice struct {
	line  string
	voice chosenVoice
	err   error
}

// gateHold keeps the gate open behind the last loud chunk, so that it does not cut the ends of words.
const gateHold = 0.25 // seconds

// open waits for the first of the input, which says how it is written, and makes the stream. It returns io.EOF for an input
// without any sound.
func (l *live) open(latency livesound.Latency, raw pipeFormat) (err error) {
	in, err := openPipe(l.env.stdin, raw)
	if err != nil {
		return err
	}
	out, frame := newPipeWriter(l.env.stdout, in), in.format.channels*in.format.format.BytesPerSample()
	fill := pipeFill(l.env.stdout)
	l.unplayed = func() time.Duration { return backlog.Lasting(fill()/frame, l.rate) }
	return l.connect(latency, in, out, in.format.rate)
}

// connect makes the stream from one to the other, at that rate, in Hz.
func (l *live) connect(latency livesound.Latency, in liveInput, out liveOutput, rate int) (err error) {
	l.in, l.out, l.rate = in, out, rate
	o := latency.Options(l.model, rate)
	o.PitchSemitones, o.FormantSemitones, o.Strength = l.set.pitch, l.set.formant, l.set.strength
	o.Melody, o.Source = l.set.melody, l.source
	if l.stream, err = l.model.NewStream(l.begin.voice, o); err != nil {
		return err
	}
	l.tellInput()
	l.pieces = l.stream.Pieces(latency.Chunk)
	l.meter = newMeter(l.statsTo, rate, latency.Chunk)
	l.waiting = backlog.New(rate, l.begin.pace)
	l.playout = backlog.Playout{Rate: rate, MaxDelay: l.begin.maxDelay}
	return nil
}

// describe says what comes in and how late it goes out.
func (l *live) describe(latency livesound.Latency) string {
	in := l.in.(*pipeReader)
	f, kind := in.format, "raw"
	if in.wav != nil {
		kind = "WAV"
	}
	return fmt.Sprintf("%s %s, %d Hz, %d channels; chunks of %.0f ms, delay %.1f ms", kind, f.format, f.rate, f.channels,
		1000*latency.Chunk.Seconds(), delayMilliseconds(l.stream, l.pieces))
}

// tellInput prints what was wrong with the input and was coped with.
func (l *live) tellInput() {
	words := l.in.warnings()
	for _, text := range words[l.told:] {
		l.env.tell("warning: standard input: %s", text)
	}
	l.told = len(words)
}

// run converts and writes chunk by chunk. Reading goes on in a goroutine of its own, which shares nothing but what waits to be
// converted: when ctx ends it may be waiting for input, and is left to the end of the process.
func (l *live) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.piece = make([]float32, 0, l.pieces.Longest())
	go l.read(ctx, make([]float32, l.pieces.Longest()))
	l.mixer, l.opened = livesound.NewMixer(gainOf(l.set), float32(l.set.wet)), 1
	always := make(chan struct{}) // while there is sound to convert, nothing else is waited for
	close(always)
	for next := l.pieces.Next(); ; {
		if err := l.serve(ctx, always); err != nil {
			return err
		}
		if err := l.holdBack(ctx); err != nil {
			return err
		}
		t, ok := l.waiting.Take(l.piece, next, l.cut)
		if !ok {
			if err := l.serve(ctx, l.waiting.More); err != nil {
				return err
			}
			continue
		}
		if err := l.write(t); err != nil {
			l.heard = l.stream.Heard()
			return err
		}
		if t.Err == io.EOF {
			l.tellInput()
			return l.finish()
		}
		if t.Err != nil {
			return errors.Join(t.Err, l.finish())
		}
		next = l.pieces.Next()
	}
}

// read brings sound to where it waits, until the input or ctx ends.
func (l *live) read(ctx context.Context, x []float32) {
	for {
		for !l.waiting.HasRoom(len(x)) {
			select {
			case <-l.waiting.Space:
			case <-ctx.Done():
				return
			}
		}
		asked := time.Now()
		n, err := l.in.read(x)
		now := time.Now()
		l.waiting.Put(now, now.Sub(asked), x[:n], err)
		if err != nil {
			return
		}
	}
}

// undecidedAhead is how much a player is given before its time while it is not known whether the sound is live.
const undecidedAhead = 200 * time.Millisecond

// holdBack waits while a player has enough to play and it is not known whether the sound is live. What has gone out cannot be
// dropped any more: a player that takes all that had piled up would play it to its end.
func (l *live) holdBack(ctx context.Context) error {
	for l.waiting.Undecided() {
		more := l.playout.Ahead(time.Now()) - undecidedAhead
		if more <= 0 {
			return nil
		}
		enough := make(chan struct{})
		timer := time.AfterFunc(min(more, 20*time.Millisecond), func() { close(enough) })
		err := l.serve(ctx, enough)
		timer.Stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// serve carries out one thing that was asked for, or waits until there is something or more has one.
func (l *live) serve(ctx context.Context, more <-chan struct{}) error {
	select {
	case <-ctx.Done():
		l.heard = l.stream.Heard()
		return ctx.Err()
	case text := <-l.control:
		l.apply(text)
	case v := <-l.found:
		l.take(v)
	case <-more:
	}
	return nil
}

func gainOf(s settings) float32 {
	if s.muted {
		return 0
	}
	return float32(math.Pow(10, s.gainDB/20))
}

func (l *live) write(t backlog.Taken) error {
	l.noteDrop(t.Dropped)
	if len(t.X) == 0 {
		return nil
	}
	l.came = t.Last
	l.meter.begin(t.X)
	if l.watch != nil {
		l.watch(t.X, nil)
	}
	l.gate(t.X)
	l.mixer.Take(t.X)
	l.output = l.stream.Process(l.output[:0], t.X)
	return l.give(len(t.X), t.Left)
}

func (l *live) finish() error {
	l.heard = l.stream.Heard() // Flush forgets it
	l.output = l.stream.Flush(l.output[:0])
	return l.give(0, 0)
}

// give mixes, amplifies and writes what is in l.output. received is what came in for it, in samples, and left what waits.
func (l *live) give(received, left int) error {
	y := l.output
	l.lag = l.mixer.Waiting() + left
	l.mixer.Mix(y, gainOf(l.set), float32(l.set.wet))
	if !l.stream.Healthy() && !l.warned {
		l.warned = true
		l.env.tell("warning: the model gives values that are not numbers; they go out as silence")
	}
	var delay delayFigures
	if len(y) > 0 {
		delay = l.watchDelay(left)
	}
	l.meter.end(y, received, delay)
	if l.watch != nil {
		l.watch(nil, y)
	}
	if err := l.out.write(y); err != nil {
		return err
	}
	if len(y) > 0 {
		l.playout.Played(time.Now(), len(y))
	}
	return nil
}

// watchDelay sees how much sound has piled up, with so many samples waiting, and orders what is too much to be dropped.
func (l *live) watchDelay(left int) delayFigures {
	now := time.Now()
	input := backlog.Lasting(left, l.rate)
	if l.playout.Told {
		input = 0 // the player knows how late the last sound is that has come
	}
	age, dry := l.playout.Look(now, input, l.unplayed())
	live, gap := l.waiting.State(now)
	if !live {
		l.cut = 0
	} else if l.cut == 0 {
		l.cut = backlog.Samples(l.playout.Surplus(now, age, gap), l.rate)
	}
	return delayFigures{live: live, age: age, dry: dry}
}

// What is dropped within a second is told of as one, every ten seconds at most.
const (
	dropJoined = time.Second
	dropTold   = 10 * time.Second
)

// noteDrop is told of samples that were dropped before the piece at hand, 0 for none.
func (l *live) noteDrop(samples int) {
	now := time.Now()
	if samples > 0 {
		l.cut, l.lastDrop = 0, now
		l.playout.Dropped()
		l.meter.drop(samples)
		l.dropped += samples
	}
	if l.dropped > 0 && !l.quiet && now.Sub(l.lastDrop) >= dropJoined && now.Sub(l.toldDrop) >= dropTold {
		l.env.tell("dropped %.2f s of sound that had piled up, to keep the delay", backlog.Lasting(l.dropped, l.rate).Seconds())
		l.dropped, l.toldDrop = 0, now
	}
}

// gate fades quiet chunks out, and loud ones in.
func (l *live) gate(x []float32) {
	rms, _ := audio.Level(x)
	if rms >= l.set.gateDB {
		l.held = int(gateHold * float64(l.rate))
	} else {
		l.held = max(0, l.held-len(x))
	}
	goal := float32(0)
	if l.held > 0 {
		goal = 1
	}
	if goal == 1 && l.opened == 1 {
		return
	}
	step := (goal - l.opened) / float32(len(x))
	for i := range x {
		l.opened += step
		x[i] *= l.opened
	}
	l.opened = goal
}

// apply carries out a line from the control file, for the stream that runs or the one that will be opened. A line that makes no sense is reported and changes nothing.
func (l *live) apply(line string) {
	next, err := l.set.with(line)
	if err == nil {
		err = next.validate()
	}
	if err == nil && l.stream != nil {
		err = errors.Join(l.stream.SetPitch(next.pitch), l.stream.SetFormant(next.formant),
			l.stream.SetStrength(next.strength), l.stream.SetMelody(next.melody))
	}
	if err != nil {
		l.env.tell("control: %q: %v", line, err)
		return
	}
	if next.voiceChanged {
		l.look(line, next.voiceChoice)
	}
	next.voiceChanged = false
	l.set = next
}

// look finds the voice that a line asks for. One that must be read from a file is made beside the sound, which goes on in
// the old voice until then; whoever is asked for last wins. The goroutine ends by itself, since its channel has room.
func (l *live) look(line string, choice voiceChoice) {
	found := make(chan foundVoice, 1)
	l.found = found
	find := func() {
		v, err := choice.find(l.model)
		found <- foundVoice{line, v, err}
	}
	if choice.needsFiles() {
		go find()
		return
	}
	find()
	l.settle()
}

// settle carries out the lines that the control file holds at the beginning, with their voices.
func (b beginning) settle(l *live) {
	for _, line := range b.lines {
		l.apply(line)
		l.settle()
	}
}

// settle waits for a voice that is being made.
func (l *live) settle() {
	if l.found != nil {
		l.take(<-l.found)
	}
}

func (l *live) take(v foundVoice) {
	l.found = nil
	if v.err != nil {
		l.env.tell("control: %q: %v", v.line, explain(v.err))
		return
	}
	v.voice.tellNotes(l.env, l.quiet)
	if l.stream == nil {
		l.begin.voice = v.voice.Voice
		return
	}
	if err := l.stream.SetVoice(v.voice.Voice); err != nil {
		l.env.tell("control: %q: %v", v.line, explain(err))
	}
}
