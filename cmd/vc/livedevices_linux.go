package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/starvc/vc/internal/backlog"
	"github.com/starvc/vc/internal/livesound"
	"github.com/starvc/vc/internal/soundserver"
)

// deviceBlock is the piece in which devices shall give and take sound.
const deviceBlock = 5 * time.Millisecond

// runDevices converts from a microphone to a virtual one, or to another device.
func runDevices(ctx context.Context, e env, o deviceOptions) (err error) {
	if o.list {
		return listDevices(e)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal is closed
	defer stop()
	l, err := o.prepare(ctx, e)
	if err != nil {
		return err
	}
	server, err := dialSound(e)
	if err != nil {
		return err
	}
	defer server.Close()
	removed, err := server.RemoveStale()
	if err != nil {
		return fmt.Errorf("live: removing what an earlier run has left: %w", err)
	}
	if removed > 0 && !o.quiet {
		e.tell("removed the virtual microphone of an earlier run, which could not do it itself")
	}
	devices := deviceRoute{rate: o.rate}
	if err := devices.open(server, o); err != nil {
		return fmt.Errorf("live: %w", err)
	}
	defer func() {
		if failed := devices.close(); failed != nil {
			err = errors.Join(err, failed)
		}
	}()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(o.threads))

	takePriority()

	status := newLiveStatus(e)
	l.env.stderr = status
	if l.statsTo != nil {
		l.statsTo = status
	}
	l.begin.pace = backlog.Pace{Fixed: true, Live: true}
	l.begin.settle(l)
	out := &deviceOutput{player: devices.player, margin: deviceMargin(l.begin.latency), live: l}
	if err := l.connect(l.begin.latency, deviceInput{devices.recorder}, out, o.rate); err != nil {
		return err
	}
	if err := devices.settle(); err != nil {
		return fmt.Errorf("live: %w", err)
	}
	out.own, out.recording = l.stream.Delay(l.pieces), devices.recording()
	l.playout.Told = true
	l.unplayed = func() time.Duration {
		l.playout.Kept = out.kept()
		early := out.early()
		status.late(out.own + devices.late + early)
		return early
	}
	l.watch = status.heard
	if !o.quiet {
		l.env.tell("%s", devices.describe(out.own, out.kept()))
	}
	end, stopKeys := l.takeKeys(ctx, status)
	defer stopKeys()
	err = interruptible(end, func() error { return l.run(end) })
	if ctx.Err() == nil && errors.Is(err, context.Canceled) {
		err = nil // by a key
	}
	status.end()
	if failed := o.finish(e, l); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

func dialSound(e env) (*soundserver.Server, error) {
	s, err := soundserver.Dial("vc", e.getenv)
	if errors.Is(err, soundserver.ErrNoServer) {
		return nil, fmt.Errorf("live: %w; is PulseAudio running, or PipeWire with pipewire-pulse? Without either, \"vc stream\" works with ALSA", err)
	}
	return s, err
}

func listDevices(e env) error {
	server, err := dialSound(e)
	if err != nil {
		return err
	}
	defer server.Close()
	name, err := server.Name()
	if err != nil {
		return err
	}
	sources, err := server.Sources()
	if err != nil {
		return err
	}
	sinks, err := server.Sinks()
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "sound server: %s\n\n", name)
	printDevices(e, "to record from (--input):", sources)
	fmt.Fprintln(e.stdout)
	printDevices(e, "to play to (--output):", sinks)
	return nil
}

func printDevices(e env, title string, devices []soundserver.Device) {
	fmt.Fprintln(e.stdout, title)
	if len(devices) == 0 {
		fmt.Fprintln(e.stdout, "   none")
	}
	for _, d := range devices {
		var words []string
		if d.Default {
			words = append(words, "the default")
		}
		if d.Monitor {
			words = append(words, "hears what is played")
		}
		if d.Own {
			words = append(words, "made by vc live")
		}
		fmt.Fprintf(e.stdout, "   %s\n      %s", d.Name, d.Description)
		if len(words) > 0 {
			fmt.Fprintf(e.stdout, " (%s)", strings.Join(words, ", "))
		}
		fmt.Fprintln(e.stdout)
	}
}

// deviceRoute is the way that sound takes through the sound server.
type deviceRoute struct {
	rate         int
	source, sink soundserver.Device
	microphone   *soundserver.Microphone // nil where there is none
	recorder     *soundserver.Recorder
	player       *soundserver.Player
	late         time.Duration // sound is when it comes from the recorder
}

func (r *deviceRoute) open(s *soundserver.Server, o deviceOptions) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	sources, err := s.Sources()
	if err != nil {
		return err
	}
	if r.source, err = findMicrophone(sources, o.input); err != nil {
		return err
	}
	if o.output != "" {
		sinks, err := s.Sinks()
		if err != nil {
			return err
		}
		if r.sink, err = soundserver.Find(sinks, o.output); err != nil {
			return fmt.Errorf("--output: %w", err)
		}
	} else {
		if r.microphone, err = s.NewMicrophone(o.rate); err != nil {
			return err
		}
		r.sink = r.microphone.Sink()
	}
	if r.player, err = s.Play(soundserver.PlayConfig{Sink: r.sink, Rate: o.rate, Block: deviceBlock, Title: "changed voice"}); err != nil {
		return err
	}
	r.recorder, err = s.Record(soundserver.RecordConfig{Source: r.source, Rate: o.rate, Fragment: deviceBlock, Title: "voice to be changed"})
	return err
}

// findMicrophone finds what was asked for, or else the default one, or the first that is one where the default is none.
func findMicrophone(sources []soundserver.Device, name string) (soundserver.Device, error) {
	if name != "" {
		d, err := soundserver.Find(sources, name)
		if err != nil {
			return d, fmt.Errorf("--input: %w", err)
		}
		if d.Own {
			return d, fmt.Errorf("--input: %q gives a changed voice itself; \"vc live --list\" lists microphones", d.Name)
		}
		return d, nil
	}
	real := slices.DeleteFunc(slices.Clone(sources), func(d soundserver.Device) bool { return d.Monitor || d.Own })
	if len(real) == 0 {
		return soundserver.Device{}, errors.New("the sound server knows no microphone; \"vc live --list\" lists what it knows, and --input NAME takes any of it")
	}
	if d, err := soundserver.Find(real, ""); err == nil {
		return d, nil
	}
	return real[0], nil
}

// settleFor is long enough for the recorder to come to its pace, and to see how late its sound is.
const settleFor = 100 * time.Millisecond

// settle starts to record.
func (r *deviceRoute) settle() error {
	if err := r.recorder.Start(); err != nil {
		return err
	}
	late, err := r.recorder.Settle(settleFor)
	r.late = min(max(late, -r.recording()), mostMargin) // beyond that a device has not begun yet
	return err
}

// recording is the longest piece in which the sound of the device comes.
func (r *deviceRoute) recording() time.Duration {
	fragment, device := r.recorder.Buffers()
	return max(fragment, device)
}

// describe says where sound goes, and how late: own is the delay of the conversion, kept what is waited for chunks.
func (r *deviceRoute) describe(own, kept time.Duration) string {
	to := fmt.Sprintf("%q", r.sink.Description)
	if r.microphone != nil {
		_, label := r.microphone.Source()
		to = fmt.Sprintf("the microphone %q", label)
	}
	ms := func(d time.Duration) float64 { return 1000 * d.Seconds() }
	recording := r.late + r.recording()
	return fmt.Sprintf("from %q to %s, %d Hz; delay %.0f ms: conversion %.0f, recording %.0f, playing %.0f", r.source.Description, to, r.rate,
		ms(own+r.late+kept), ms(own), ms(recording), ms(kept-r.recording()))
}

func (r *deviceRoute) close() error {
	var failed error
	if r.player != nil {
		failed = r.player.Close()
	}
	if r.microphone != nil {
		failed = errors.Join(failed, r.microphone.Close())
	}
	if errors.Is(failed, soundserver.ErrClosed) {
		return nil // the server has gone, and all of this with it
	}
	return failed
}

// deviceInput is sound from a recorder.
type deviceInput struct{ recorder *soundserver.Recorder }

func (i deviceInput) read(x []float32) (int, error) { return i.recorder.Read(x) }
func (i deviceInput) warnings() []string            { return nil }

// deviceOutput gives sound to a player, so that it is heard a fixed time after it came.
type deviceOutput struct {
	player *soundserver.Player
	live   *live
	own    time.Duration // delay of the conversion
	// recording is the piece in which sound comes: the last of a chunk may have come with the first of a piece.
	recording time.Duration
	margin    time.Duration // that a chunk may take to be converted, and be late
	begun     bool
	late      bool  // the last chunk was
	lost      int64 // underruns that are known
	last      time.Time
}

const (
	// A margin that is used up twice within marginMemory is too small, up to mostMargin, by marginStep.
	marginMemory = 20 * time.Second
	marginStep   = 5 * time.Millisecond
	mostMargin   = 60 * time.Millisecond
	// standstill is one for which no margin can be made.
	standstill = 80 * time.Millisecond
)

// deviceMargin is what goes with a setting: who wants little delay takes the risk of gaps.
func deviceMargin(l livesound.Latency) time.Duration { return max(l.Chunk/2, 2*deviceBlock) }

// kept is how early a chunk should come, so that none of its sound is too late to be played.
func (o *deviceOutput) kept() time.Duration { return o.recording + o.player.Block() + o.margin }

// early is how much later than need be the sound at hand will be heard, if converting it took no time.
func (o *deviceOutput) early() time.Duration { return o.player.Ahead() + o.passed() - o.own }

// passed is how long ago the sound came in that goes out now.
func (o *deviceOutput) passed() time.Duration {
	return backlog.Lasting(o.live.lag, o.live.rate) + time.Since(o.live.came)
}

func (o *deviceOutput) write(y []float32) error {
	if len(y) == 0 {
		return nil
	}
	ahead, underruns := o.player.Ahead(), o.player.Underruns()
	late := ahead < 0 || underruns > o.lost
	if late || !o.begun {
		// After a standstill one chunk after the other is late, until they have caught up: that is one gap.
		if o.begun && !o.late {
			o.ranDry(ahead)
		}
		if o.begun && ahead < 0 {
			o.live.noteDrop(min(len(y), backlog.Samples(-ahead, o.live.rate))) // the player leaves it out
		}
		if err := o.player.Silence(o.own + o.kept() - o.passed()); err != nil {
			return err
		}
	}
	o.begun, o.late, o.lost = true, late, underruns
	return o.player.Write(y)
}

// ranDry is told that the player had nothing to play, and makes the margin larger where that happens again and again.
func (o *deviceOutput) ranDry(ahead time.Duration) {
	o.live.meter.ranDry()
	if -ahead > standstill {
		return
	}
	now := time.Now()
	if again := now.Sub(o.last) < marginMemory; again && o.margin < mostMargin {
		o.margin += marginStep
		o.live.env.tell("sound came too late twice; the delay is %d ms longer from now on", marginStep.Milliseconds())
	}
	o.last = now
}
