package soundserver_test

import (
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/internal/soundserver"
	"github.com/starvc/vc/internal/soundserver/pulsetest"
)

func TestDialWithoutServer(t *testing.T) {
	for _, env := range []map[string]string{
		{"XDG_RUNTIME_DIR": "/nonexistent"},
		{"PULSE_SERVER": "unix:/nonexistent/native"},
		{"PULSE_SERVER": "{some-machine}unix:/nonexistent/native /nonexistent/other"},
		{"PULSE_SERVER": "tcp:127.0.0.1:1"},
	} {
		_, err := soundserver.Dial("test", func(name string) string { return env[name] })
		if !errors.Is(err, soundserver.ErrNoServer) {
			t.Errorf("%v: error %v", env, err)
		}
	}
}

func find(t *testing.T, list func() ([]soundserver.Device, error), name string) (soundserver.Device, bool) {
	t.Helper()
	devices, err := list()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(devices, func(d soundserver.Device) bool { return d.Name == name })
	if i < 0 {
		return soundserver.Device{}, false
	}
	return devices[i], true
}

func TestDevices(t *testing.T) {
	s := pulsetest.Dial(t, pulsetest.Start(t))
	if name, err := s.Name(); err != nil || !strings.HasPrefix(name, "pulseaudio ") {
		t.Errorf("the server is called %q, error %v", name, err)
	}
	d, ok := find(t, s.Sources, "first.monitor")
	if !ok || !d.Monitor || d.Own || d.Rate != pulsetest.Rate || d.Channels != 2 {
		t.Errorf("first.monitor: %+v", d)
	}
	if d, ok := find(t, s.Sinks, "second"); !ok || d.Own || d.Description == "" {
		t.Errorf("second: %+v", d)
	}
}

func TestFind(t *testing.T) {
	devices := []soundserver.Device{
		{Index: 3, Name: "alsa_input.usb-Yeti", Description: "Blue Yeti"},
		{Index: 7, Name: "alsa_input.pci", Description: "Built-in", Default: true},
		{Index: 8, Name: "alsa_output.pci.monitor", Description: "Monitor of Built-in"},
	}
	for text, want := range map[string]uint32{"": 7, "alsa_input.pci": 7, "Built-in": 7, "yeti": 3, "8": 8, "MONITOR": 8} {
		if d, err := soundserver.Find(devices, text); err != nil || d.Index != want {
			t.Errorf("%q: device %d, error %v; want %d", text, d.Index, err, want)
		}
	}
	for text, want := range map[string]string{"Focusrite": "there are", "built": "part of several names"} {
		if _, err := soundserver.Find(devices, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

// A virtual microphone outlives a program that is killed, and the next one removes it, but none whose program is there.
func TestMicrophoneIsRemoved(t *testing.T) {
	env := pulsetest.Start(t)
	get := func(name string) string { return env[name] }
	killed, err := soundserver.Dial("killed", get)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := killed.NewMicrophone(pulsetest.Rate); err != nil {
		t.Fatal(err)
	}
	living := pulsetest.Dial(t, env)
	second, err := living.NewMicrophone(pulsetest.Rate)
	if err != nil {
		t.Fatal(err)
	}
	if name, label := second.Source(); name != "vc_mic_2" || label != "vc voice changer 2" {
		t.Errorf("beside another it is called %q, %q", name, label)
	}
	if n, err := living.RemoveStale(); n != 0 || err != nil {
		t.Errorf("%d modules of a living program were removed, error %v", n, err)
	}
	if err := killed.Close(); err != nil {
		t.Fatal(err)
	}
	next := pulsetest.Dial(t, env)
	removed := 0
	for deadline := time.Now().Add(10 * time.Second); removed == 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if removed, err = next.RemoveStale(); err != nil { // once the server has noticed
			t.Fatal(err)
		}
	}
	if removed != 2 {
		t.Errorf("%d modules were removed", removed)
	}
	for name, want := range map[string]bool{"vc_mic": false, "vc_mic_2": true} {
		if d, ok := find(t, next.Sources, name); ok != want || ok && !d.Own {
			t.Errorf("%s is there: %t, %+v", name, ok, d)
		}
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := find(t, next.Sinks, "vc_mic_2_sink"); ok {
		t.Error("a closed microphone is there still")
	}
}

// What is played arrives unchanged, Ahead after it was written.
func TestSoundArrives(t *testing.T) {
	env := pulsetest.Start(t)
	s := pulsetest.Dial(t, env)
	start := time.Now()
	heard := pulsetest.Listen(t, s, "first.monitor", start)
	sink, _ := find(t, s.Sinks, "first")
	p, err := s.Play(soundserver.PlayConfig{Sink: sink, Rate: pulsetest.Rate, Block: 5 * time.Millisecond, Title: "test"})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(700 * time.Millisecond) // longer than a gap that is filled with silence
	if ahead := p.Ahead(); ahead > 0 {
		t.Errorf("after a while without sound it is %v ahead", ahead)
	}
	const want = 200 * time.Millisecond
	if err := p.Silence(want); err != nil {
		t.Fatal(err)
	}
	x := make([]float32, pulsetest.Rate/10)
	for i := range x {
		x[i] = float32(0.5 * math.Sin(2*math.Pi*440*float64(i)/pulsetest.Rate))
	}
	ahead, at := p.Ahead(), time.Since(start)
	if err := p.Write(x); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	y, when := heard.Heard()
	first := slices.IndexFunc(y, func(v float32) bool { return v != 0 })
	if first < 0 || len(y) < first+len(x) {
		t.Fatalf("nothing is heard in %d samples", len(y))
	}
	// The sample before it is 0 as well: the sine begins with it.
	for i, v := range x[1:] {
		if d := v - y[first+i]; d > 1e-4 || d < -1e-4 {
			t.Fatalf("sample %d is %g, was %g", i+1, y[first+i], v)
		}
	}
	t.Logf("it said %v ahead, heard %v after writing", ahead, when(first)-at)
	if ahead < want-20*time.Millisecond || ahead > want+20*time.Millisecond {
		t.Errorf("it is %v ahead, was to be %v", ahead, want)
	}
}

// When the server goes, all that waits for it ends.
func TestServerGoes(t *testing.T) {
	env := pulsetest.Start(t)
	s := pulsetest.Dial(t, env)
	source, _ := find(t, s.Sources, "first.monitor")
	r, err := s.Record(soundserver.RecordConfig{Source: source, Rate: pulsetest.Rate, Fragment: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := r.Read(make([]float32, 100)) // it was not started: nothing comes
		ended <- err
	}()
	s.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, soundserver.ErrClosed) {
			t.Errorf("error %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits still")
	}
	if _, err := s.Sources(); !errors.Is(err, soundserver.ErrClosed) && !errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
}
