package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
)

// live is a running stream.
type live struct {
	env     env
	model   *vc.Model
	stream  *vc.Stream
	set     settings
	in      *pipeReader
	out     *pipeWriter
	pieces  vc.Pieces
	meter   *meter
	statsTo io.Writer // nil for nobody
	control <-chan string
	found   <-chan foundVoice // the voice that is being made, nil for none
	quiet   bool
	warned  bool
	told    int       // warnings of the input that were printed
	source  vc.Source // what is known of the voice that comes in
	heard   vc.Source // what was learnt of it, once run has ended

	dry    []float32 // input samples whose output is still to come
	gain   float32   // of the last sample given out
	wet    float32   // the same
	opened float32   // how far the gate is open, 0 to 1
	held   int       // samples for which the gate stays open
	output []float32
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
func (l *live) open(v vc.Voice, latency latencySetting, raw pipeFormat) (err error) {
	if l.in, err = openPipe(l.env.stdin, raw); err != nil {
		return err
	}
	rate := l.in.format.rate
	o := latency.options(l.model, rate)
	o.PitchSemitones, o.FormantSemitones, o.Strength = l.set.pitch, l.set.formant, l.set.strength
	o.Melody, o.Source = l.set.melody, l.source
	if l.stream, err = l.model.NewStream(v, o); err != nil {
		return err
	}
	l.tellInput()
	l.out = newPipeWriter(l.env.stdout, l.in)
	l.pieces = l.stream.Pieces(latency.chunk)
	l.meter = newMeter(l.statsTo, rate, latency.chunk)
	return nil
}

// describe says what comes in and how late it goes out.
func (l *live) describe(latency latencySetting) string {
	f, kind := l.in.format, "raw"
	if l.in.wav != nil {
		kind = "WAV"
	}
	return fmt.Sprintf("%s %s, %d Hz, %d channels; chunks of %.0f ms, delay %.1f ms", kind, f.format, f.rate, f.channels,
		1000*latency.chunk.Seconds(), delayMilliseconds(l.stream, l.pieces))
}

// tellInput prints what was wrong with the input and was coped with.
func (l *live) tellInput() {
	words := l.in.warnings()
	for _, text := range words[l.told:] {
		l.env.tell("warning: standard input: %s", text)
	}
	l.told = len(words)
}

// run reads, converts and writes chunk by chunk. Reading goes on in a goroutine of its own, which owns nothing but two
// buffers: when ctx ends it may be waiting for input, and is left to the end of the process.
func (l *live) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type piece struct {
		x   []float32
		err error
	}
	free, ready := make(chan []float32, 2), make(chan piece)
	for range cap(free) {
		free <- make([]float32, l.pieces.Longest())
	}
	go func() {
		for x := range free {
			n, err := l.in.readFull(x[:l.pieces.Next()])
			select {
			case ready <- piece{x[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	defer close(free)
	l.gain, l.wet, l.opened = gainOf(l.set), float32(l.set.wet), 1
	for {
		select {
		case <-ctx.Done():
			l.heard = l.stream.Heard()
			return ctx.Err()
		case text := <-l.control:
			l.apply(text)
		case v := <-l.found:
			l.take(v)
		case p := <-ready:
			if err := l.write(p.x); err != nil {
				l.heard = l.stream.Heard()
				return err
			}
			if p.err == io.EOF {
				l.tellInput()
				return l.finish()
			}
			if p.err != nil {
				return errors.Join(p.err, l.finish())
			}
			free <- p.x[:cap(p.x)]
		}
	}
}

func gainOf(s settings) float32 { return float32(math.Pow(10, s.gainDB/20)) }

func (l *live) write(x []float32) error {
	if len(x) == 0 {
		return nil
	}
	l.meter.begin(x)
	l.gate(x)
	l.dry = append(l.dry, x...)
	l.output = l.stream.Process(l.output[:0], x)
	return l.give(len(x))
}

func (l *live) finish() error {
	l.heard = l.stream.Heard() // Flush forgets it
	l.output = l.stream.Flush(l.output[:0])
	return l.give(0)
}

// give mixes, amplifies and writes what is in l.output.
func (l *live) give(received int) error {
	y := l.output
	// Changes are spread over what is given out, so that they make no click.
	gain, wet := gainOf(l.set), float32(l.set.wet)
	n := float32(max(1, len(y)))
	gainStep, wetStep := (gain-l.gain)/n, (wet-l.wet)/n
	for i := range y {
		l.gain += gainStep
		l.wet += wetStep
		y[i] = l.gain * (l.wet*y[i] + (1-l.wet)*l.dry[i])
	}
	if len(y) > 0 {
		l.gain, l.wet = gain, wet
	}
	l.dry = slices.Delete(l.dry, 0, len(y))
	l.meter.end(y, received)
	if !l.stream.Healthy() && !l.warned {
		l.warned = true
		l.env.tell("warning: the model gives values that are not numbers; they go out as silence")
	}
	return l.out.write(y)
}

// gate fades quiet chunks out, and loud ones in.
func (l *live) gate(x []float32) {
	rms, _ := audio.Level(x)
	if rms >= l.set.gateDB {
		l.held = int(gateHold * float64(l.in.format.rate))
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

// apply carries out a line from the control file. A line that makes no sense is reported and changes nothing.
func (l *live) apply(line string) {
	next, err := l.set.with(line)
	if err == nil {
		err = next.validate()
	}
	if err == nil {
		err = l.stream.SetPitch(next.pitch)
	}
	if err == nil {
		err = l.stream.SetFormant(next.formant)
	}
	if err == nil {
		err = l.stream.SetStrength(next.strength)
	}
	if err == nil {
		err = l.stream.SetMelody(next.melody)
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
	if err := l.stream.SetVoice(v.voice.Voice); err != nil {
		l.env.tell("control: %q: %v", v.line, explain(err))
	}
}
