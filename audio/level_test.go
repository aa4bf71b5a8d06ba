package audio

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestLevel(t *testing.T) {
	square := []float32{1, -1, 1, -1}
	tests := []struct {
		name      string
		x         []float32
		rms, peak float64
	}{
		{"square", square, 0, 0},
		{"sine", tone(16000, 100, 16000), -3.0103, 0},
		{"half", []float32{-0.5, 0.5}, -6.0206, -6.0206},
		{"silence", make([]float32, 10), math.Inf(-1), math.Inf(-1)},
		{"nothing", nil, math.Inf(-1), math.Inf(-1)},
	}
	for _, tt := range tests {
		rms, peak := Level(tt.x)
		if !close3(rms, tt.rms) || !close3(peak, tt.peak) {
			t.Errorf("%s: %.4f and %.4f dB, want %.4f and %.4f", tt.name, rms, peak, tt.rms, tt.peak)
		}
	}
}

func close3(a, b float64) bool { return a == b || math.Abs(a-b) < 1e-3 }

func TestNormalize(t *testing.T) {
	x := tone(16000, 100, 16000)
	if gain := Normalize(x, -23); !close3(gain, -19.9897) {
		t.Errorf("gain %.4f dB", gain)
	}
	if rms, _ := Level(x); !close3(rms, -23) {
		t.Errorf("%.4f dB RMS, want -23", rms)
	}
	if Normalize(x, 10); !close3(20*math.Log10(peakOf(x)), -1) {
		t.Errorf("peak %.4f, want -1 dB", peakOf(x))
	}
	silence := make([]float32, 10)
	if gain := Normalize(silence, -23); gain != 0 || !slices.Equal(silence, make([]float32, 10)) {
		t.Errorf("silence: gain %g, %v", gain, silence)
	}
}

func TestTrimSilence(t *testing.T) {
	const rate = 16000
	x := make([]float32, 3*rate)
	for i := range x {
		x[i] = 0.0005 * float32(1-2*(i%2)) // noise floor at -66 dB
	}
	copy(x[rate:], tone(rate, 200, rate)) // a second of sound within three
	hop := rate / 100
	tests := []struct {
		name       string
		x          []float32
		rangeDB    float64
		margin     time.Duration
		start, end int
	}{
		{"no margin", x, 40, 0, rate - hop, 2*rate + hop},
		{"100 ms", x, 40, 100 * time.Millisecond, rate - hop - rate/10, 2*rate + hop + rate/10},
		{"margin beyond the ends", x, 40, time.Minute, 0, 3 * rate},
		{"floor within the range", x, 80, 0, 0, 3 * rate},
		{"silence", make([]float32, rate), 40, 0, 0, 0},
		{"nothing", nil, 40, 0, 0, 0},
		{"one sample", []float32{0.5}, 40, 0, 0, 1},
		{"all sound", x[rate : 2*rate], 40, 0, 0, rate},
	}
	for _, tt := range tests {
		if start, end := TrimSilence(tt.x, rate, tt.rangeDB, tt.margin); start != tt.start || end != tt.end {
			t.Errorf("%s: %d to %d, want %d to %d", tt.name, start, end, tt.start, tt.end)
		}
	}
}

func TestDuration(t *testing.T) {
	for _, tt := range []struct {
		samples, rate int
		want          time.Duration
	}{{0, 16000, 0}, {16000, 16000, time.Second}, {1, 44100, 22675 * time.Nanosecond}, {5, 0, 0}} {
		if got := (Clip{Samples: make([]float32, tt.samples), Rate: tt.rate}).Duration(); got != tt.want {
			t.Errorf("%d at %d Hz: %v, want %v", tt.samples, tt.rate, got, tt.want)
		}
	}
}
