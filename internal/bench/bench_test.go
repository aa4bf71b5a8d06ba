package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

func tiny() Options {
	m := untrained.Model(gan.Tiny(), 2, 1)
	slow, fast := vc.New(m).StreamOptions(48000), vc.New(m).StreamOptions(16000)
	fast.LookAhead = 0
	return Options{
		Model: m, Duration: time.Second,
		Settings: []Setting{{"slow", 20 * time.Millisecond, slow}, {"fast", 10 * time.Millisecond, fast}},
	}
}

func TestRun(t *testing.T) {
	r, err := Run(context.Background(), tiny())
	if err != nil {
		t.Fatal(err)
	}
	positive := map[string]float64{
		"first sample": r.Load.FirstMS, "file": r.File.RTF, "file by processor": r.File.CPURTF, "bytes": float64(r.Load.Bytes),
	}
	for _, s := range r.Streams {
		positive[s.Name], positive[s.Name+" delay"], positive[s.Name+" p50"] = s.RTF, s.DelayMS, s.Wall.P50
		if s.Wall.P50 > s.Wall.P95 || s.Wall.P95 > s.Wall.P99 || s.Wall.P99 > s.Wall.Max || s.CPU.Max < s.CPU.P50 {
			t.Errorf("%s: percentiles %+v %+v", s.Name, s.Wall, s.CPU)
		}
		if s.AllocationsAChunk > 0.05 { // the runtime itself may allocate once
			t.Errorf("%s: %g allocations per chunk", s.Name, s.AllocationsAChunk)
		}
	}
	for _, k := range r.Kernels {
		positive["kernel"] = k.GFLOPS
	}
	var sum float64
	for _, s := range r.Stages {
		sum += s.LiveRTF
		if s.LiveRTF < 0 || s.FileRTF < 0 {
			t.Errorf("stage %s: %+v", s.Name, s)
		}
	}
	positive["stages"] = sum
	for name, v := range positive {
		if !(v > 0) {
			t.Errorf("%s is %g", name, v)
		}
	}
	if len(r.Streams) != 2 || r.Streams[1].DelayMS != 25 {
		t.Errorf("streams: %+v", r.Streams)
	}

	var text bytes.Buffer
	if err := r.WriteTable(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"slow", "resample in", "256x768", "GFLOPS", "allocations", "25.0 ms"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &text)
		}
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil || back.File != r.File {
		t.Errorf("JSON does not come back: %v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	o := tiny()
	o.Say = func(what string) {
		if what == "streams" {
			cancel()
		}
	}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestPercentiles(t *testing.T) {
	var times []time.Duration
	for i := range 1001 {
		times = append(times, time.Duration((i*8)%1001)*time.Millisecond)
	}
	if got, want := percentiles(times), (Percentiles{500, 950, 990, 1000}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestVoiceIsSound(t *testing.T) {
	x := Voice(16000, 16000*4)
	var peak float64
	for i, v := range x {
		if v-v != 0 {
			t.Fatalf("sample %d is %g", i, v)
		}
		peak = math.Max(peak, math.Abs(float64(v)))
	}
	if peak < 0.1 || peak > 1 {
		t.Errorf("peak of %g", peak)
	}
}
