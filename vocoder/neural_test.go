package vocoder

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/untrained/weights"
)

func netConfig(tb testing.TB, preset string, cfg features.Config) NetConfig {
	tb.Helper()
	c, err := NetPreset(preset, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// neural is a stream over seeded random weights.
func neural(tb testing.TB, cfg features.Config) *Neural {
	tb.Helper()
	return randomNet(netConfig(tb, "tiny", cfg), 1).NewStream(1)
}

// directNet is the network of the contract for a whole recording, in float64 and without any state. in is [frames, Inputs].
func directNet(c NetConfig, weights map[string][]float32, in []float32) []float64 {
	frames := len(in) / c.Inputs()
	linear := func(name string, x []float64, from, to int) []float64 {
		w, b := weights[name+".w"], weights[name+".b"]
		y := make([]float64, len(x)/from*to)
		for i := range y {
			row, o := i/to, i%to
			y[i] = float64(b[o])
			for k := range from {
				y[i] += x[row*from+k] * float64(w[k*to+o])
			}
		}
		return y
	}
	norm := func(name string, x []float64) []float64 {
		gain, bias := weights[name+".gain"], weights[name+".bias"]
		y := make([]float64, len(x))
		for t := range frames {
			row := x[t*c.Width : (t+1)*c.Width]
			var mean, variance float64
			for _, v := range row {
				mean += v / float64(c.Width)
			}
			for _, v := range row {
				variance += (v - mean) * (v - mean) / float64(c.Width)
			}
			for i, v := range row {
				y[t*c.Width+i] = (v-mean)/math.Sqrt(variance+1e-5)*float64(gain[i]) + float64(bias[i])
			}
		}
		return y
	}
	x := make([]float64, len(in))
	for i, v := range in {
		x[i] = float64(v)
	}
	h := linear("voc.stem", x, c.Inputs(), c.Width)
	for i := range c.Blocks {
		name := fmt.Sprintf("voc.block.%d", i)
		w, b := weights[name+".dw.w"], weights[name+".dw.b"]
		d := make([]float64, len(h))
		for j := range d {
			t, ch := j/c.Width, j%c.Width
			d[j] = float64(b[ch])
			for k := range c.Kernel {
				if from := t - c.Kernel + 1 + k; from >= 0 {
					d[j] += h[from*c.Width+ch] * float64(w[k*c.Width+ch])
				}
			}
		}
		u := linear(name+".up", norm(name+".norm", d), c.Width, c.Hidden)
		for j, v := range u {
			u[j] = 0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
		}
		for j, v := range linear(name+".down", u, c.Hidden, c.Width) {
			h[j] += v
		}
	}
	return linear("voc.head", norm("voc.norm", h), c.Width, c.Outputs())
}

// randomNet is a network of weights that seed draws. It panics if cfg is not valid.
func randomNet(cfg NetConfig, seed uint64) *Net {
	n, err := NewNet(cfg, nil, weights.Vocoder(cfg.Params(), seed))
	if err != nil {
		panic(err)
	}
	return n
}

// TestNeuralIsTheContract compares with the definition, computed directly: the network, its gains and phases on both
// spectra, and the inverse short-time transform of the sum.
func TestNeuralIsTheContract(t *testing.T) {
	for rate, cfg := range configs(t) {
		c := netConfig(t, "tiny", cfg)
		tensors := weights.Vocoder(c.Params(), 3)
		for i, v := range tensors["voc.head.b"] {
			tensors["voc.head.b"][i] = v + float32(3*math.Sin(float64(i))) // gains and phases that are worth the name
		}
		samples := cfg.SampleRate / 2
		f := framesOf(t, cfg, vowels(cfg.SampleRate, samples))
		source, err := NewNetSource(cfg, 9)
		if err != nil {
			t.Fatal(err)
		}
		bins := cfg.Bins()
		var in, harmonics, noise []float32
		var sounds []bool
		for i, hz := range f.F0 {
			fr := Frame{make([]float32, c.Inputs()), make([]float32, 2*bins), make([]float32, 2*bins)}
			sounds = append(sounds, source.Next(fr, f.LogMel[i*cfg.NMels:(i+1)*cfg.NMels], hz, nil))
			in, harmonics, noise = append(in, fr.Input...), append(harmonics, fr.Harmonics...), append(noise, fr.Noise...)
		}
		out := directNet(c, tensors, in)
		spec := make([]complex128, f.Len()*bins)
		for i := range spec {
			frame, k := i/bins, i%bins
			if !sounds[frame] || k == 0 || k == bins-1 {
				continue
			}
			o := out[frame*c.Outputs():]
			part := func(spec []float32, gain, phase float64) complex128 {
				sin, cos := math.Sincos(phase)
				s := complex(float64(spec[frame*2*bins+k]), float64(spec[frame*2*bins+bins+k]))
				return s * complex(math.Exp(5*math.Tanh(gain/5)), 0) * complex(cos, sin)
			}
			spec[i] = part(harmonics, o[k], o[bins+k]) + part(noise, o[2*bins+k], o[3*bins+k])
		}
		want := features.NewSTFT(cfg).Synthesize(spec, samples)

		net, err := NewNet(c, nil, tensors)
		if err != nil {
			t.Fatal(err)
		}
		s := net.NewStream(9)
		got := s.FlushTo(s.Process(nil, f.LogMel, f.F0), samples)
		// Not compared where the divisor of the overlap-add differs: the stream divides by the steady sum at the borders.
		var largest, power, off float64
		for i := cfg.WinLength; i < samples-cfg.WinLength; i++ {
			w := math.Min(math.Max(float64(want[i]), -1), 1)
			largest = max(largest, math.Abs(float64(got[i])-w))
			off += (float64(got[i]) - w) * (float64(got[i]) - w)
			power += w * w
		}
		t.Logf("%s: off by %.2g at most, %.1f dB below the signal", rate, largest, 10*math.Log10(power/off))
		if power == 0 || off > 1e-8*power {
			t.Errorf("%s: off by %g of the power", rate, off/power)
		}
	}
}

func TestNeuralChunking(t *testing.T) {
	cfg := features.DefaultConfig()
	f := framesOf(t, cfg, vowels(cfg.SampleRate, 3*cfg.SampleRate/2))
	s := neural(t, cfg)
	want := s.Flush(s.Process(nil, f.LogMel, f.F0))
	if len(want) != f.Len()*cfg.Hop {
		t.Errorf("%d samples after Flush, want %d", len(want), f.Len()*cfg.Hop)
	}
	for _, chunk := range []int{1, 2, 7, 13, neuralBlock - 1, neuralBlock, neuralBlock + 1, f.Len()} {
		var got []float32
		for at := 0; at < f.Len(); at += chunk {
			part := f.Slice(at, min(at+chunk, f.Len()))
			got = s.Process(got, part.LogMel, part.F0)
			got = s.Process(got, nil, nil)
		}
		if got = s.Flush(got); !slices.Equal(got, want) {
			t.Errorf("chunks of %d frames give other samples than all at once", chunk)
		}
	}
	s.Process(nil, f.LogMel[:11*cfg.NMels], f.F0[:11])
	s.Reset()
	if got := s.Flush(s.Process(nil, f.LogMel, f.F0)); !slices.Equal(got, want) {
		t.Error("other samples after Reset than in a new stream")
	}
	if got := s.net.NewStream(1); !slices.Equal(got.Flush(got.Process(nil, f.LogMel, f.F0)), want) {
		t.Error("two streams of one seed differ")
	}
	if got := s.net.NewStream(2); slices.Equal(got.Flush(got.Process(nil, f.LogMel, f.F0)), want) {
		t.Error("two seeds gave the same signal")
	}
}

func TestNeuralIsCausal(t *testing.T) {
	for rate, cfg := range configs(t) {
		f := framesOf(t, cfg, vowels(cfg.SampleRate, 9000))
		s := neural(t, cfg)
		if want := cfg.WinLength / 2; s.Latency() != want {
			t.Errorf("%s: latency of %d samples, want %d", rate, s.Latency(), want)
		}
		all := s.Flush(s.Process(nil, f.LogMel, f.F0))
		for frames := range f.Len() {
			s.Reset()
			got := s.Process(nil, f.LogMel[:frames*cfg.NMels], f.F0[:frames])
			if want := max(0, frames*cfg.Hop-s.Latency()); len(got) != want {
				t.Errorf("%s: %d samples after %d frames, want %d", rate, len(got), frames, want)
			}
			if !slices.Equal(got, all[:len(got)]) {
				t.Errorf("%s: the first %d frames give other samples than with all", rate, frames)
			}
		}
	}
}

func TestNeuralDoesNotAllocate(t *testing.T) {
	cfg := features.DefaultConfig()
	f := framesOf(t, cfg, vowels(cfg.SampleRate, 3200))
	s := neural(t, cfg)
	dst := make([]float32, 0, 4*f.Len()*cfg.Hop)
	if n := testing.AllocsPerRun(5, func() { dst = s.Process(dst[:0], f.LogMel, f.F0) }); n != 0 {
		t.Errorf("%g allocations per Process", n)
	}
	if n := testing.AllocsPerRun(5, func() { dst = s.Flush(s.Process(dst[:0], f.LogMel, f.F0)) }); n != 0 {
		t.Errorf("%g allocations per Process and Flush", n)
	}
}

func TestNeuralLength(t *testing.T) {
	cfg := features.DefaultConfig()
	s := neural(t, cfg)
	for _, samples := range []int{0, 1, cfg.Hop - 1, cfg.Hop, cfg.Hop + 1, 3001} {
		f := framesOf(t, cfg, vowels(cfg.SampleRate, samples))
		if got := s.FlushTo(s.Process(nil, f.LogMel, f.F0), samples); len(got) != samples {
			t.Errorf("%d samples, want %d", len(got), samples)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("log-mels that do not fit the F0s are taken")
		}
	}()
	s.Process(nil, make([]float32, 2*cfg.NMels), make([]float32, 1))
}

// Silence stays silence, whatever F0 says, and a voice before it ends.
func TestNeuralSilence(t *testing.T) {
	cfg := features.DefaultConfig()
	s := neural(t, cfg)
	f := framesOf(t, cfg, vowels(cfg.SampleRate, 4000))
	voice := f.Len()
	for range 40 {
		f.LogMel = append(f.LogMel, constant(cfg.NMels, cfg.NormalizeMel(0))...)
		f.F0 = append(f.F0, 140)
	}
	got := s.Flush(s.Process(nil, f.LogMel, f.F0))
	for i, v := range got[voice*cfg.Hop+cfg.WinLength:] {
		if v != 0 {
			t.Fatalf("sample %d of silence is %g", i, v)
		}
	}
}

func TestNeuralHostileFrames(t *testing.T) {
	cfg := features.DefaultConfig()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	const frames = 50
	for name, c := range map[string]struct{ mel, f0 float32 }{
		"log-mel is no number": {nan, 140}, "log-mel without end": {inf, 140}, "log-mel below all": {-inf, 140},
		"full scale": {1e6, 140}, "F0 is no number": {0, nan}, "F0 without end": {0, inf}, "F0 below zero": {0, -inf},
		"F0 above all": {0, 1e9}, "all bad": {nan, nan},
	} {
		s := neural(t, cfg)
		good := framesOf(t, cfg, vowels(cfg.SampleRate, 1600))
		got := s.Process(nil, good.LogMel, good.F0)
		got = s.Process(got, constant(frames*cfg.NMels, c.mel), constant(frames, c.f0))
		got = s.Process(got, good.LogMel, good.F0)
		for i, v := range s.Flush(got) {
			if !(v >= -1 && v <= 1) {
				t.Fatalf("%s: sample %d is %g", name, i, v)
			}
		}
	}
}

func TestNeuralHasNoOffset(t *testing.T) {
	cfg := features.DefaultConfig()
	s := neural(t, cfg)
	f := framesOf(t, cfg, vowels(cfg.SampleRate, 2*cfg.SampleRate))
	got := s.Flush(s.Process(nil, f.LogMel, f.F0))
	var sum, power float64
	for _, v := range got {
		sum += float64(v)
		power += float64(v) * float64(v)
	}
	mean, rms := sum/float64(len(got)), math.Sqrt(power/float64(len(got)))
	if rms < 1e-3 || math.Abs(mean) > 0.002*rms {
		t.Errorf("mean of %g at %g RMS", mean, rms)
	}
}

// The network begins with what already has the pitch and, roughly, the loudness; a head that says nothing leaves both.
func TestNeuralFollowsF0(t *testing.T) {
	cfg := features.DefaultConfig()
	c := netConfig(t, "tiny", cfg)
	tensors := weights.Vocoder(c.Params(), 1)
	for _, name := range []string{"voc.head.w", "voc.head.b"} {
		clear(tensors[name]) // gains of 1, phases of 0
	}
	net, err := NewNet(c, nil, tensors)
	if err != nil {
		t.Fatal(err)
	}
	f := framesOf(t, cfg, vowels(cfg.SampleRate, 2*cfg.SampleRate))
	s := net.NewStream(1)
	heard := framesOf(t, cfg, s.Flush(s.Process(nil, f.LogMel, f.F0)))
	var cents []float64
	for i, hz := range f.F0 {
		if hz > 0 && heard.F0[i] > 0 {
			cents = append(cents, math.Abs(1200*math.Log2(float64(heard.F0[i]/hz))))
		}
	}
	slices.Sort(cents)
	if len(cents) < 50 || cents[len(cents)/2] > 20 {
		t.Errorf("pitch off by %.1f cents in the median of %d frames", cents[len(cents)/2], len(cents))
	}
	if d := melDistance(cfg, f.LogMel, heard.LogMel); d > 1 {
		t.Errorf("log-mels %.2f nepers off", d)
	}
}

func TestNetFile(t *testing.T) {
	cfg := features.DefaultConfig()
	c := netConfig(t, "tiny", cfg)
	tensors := weights.Vocoder(c.Params(), 1)
	net, err := NewNet(c, map[string]string{"steps": "7"}, tensors)
	if err != nil {
		t.Fatal(err)
	}
	write := func(p Precision) []byte {
		var b bytes.Buffer
		if err := net.Write(&b, p); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	data := write(Full)
	path := filepath.Join(t.TempDir(), "net.safetensors")
	if err := net.Save(path, Full); err != nil {
		t.Fatal(err)
	}
	if saved, err := os.ReadFile(path); err != nil || !bytes.Equal(saved, data) {
		t.Errorf("Save and Write differ: %v", err)
	}
	net, err = Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if net.Config() != c || net.Features() != cfg || net.Trained()["steps"] != "7" {
		t.Errorf("read %+v, %v", net.Config(), net.Trained())
	}
	f := framesOf(t, cfg, vowels(cfg.SampleRate, 4000))
	a, b := net.NewStream(1), randomNet(c, 1).NewStream(1)
	if !slices.Equal(a.Flush(a.Process(nil, f.LogMel, f.F0)), b.Flush(b.Process(nil, f.LogMel, f.F0))) {
		t.Error("another voice after writing and reading")
	}
	for _, p := range []Precision{Half, Brain} {
		short := write(p)
		if len(short) > len(data)*6/10 {
			t.Errorf("%d bytes as %s, %d as float32", len(short), p, len(data))
		}
		if _, err := Read(bytes.NewReader(short)); err != nil {
			t.Error(err)
		}
	}

	refused := func(name, want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	_, err = Read(bytes.NewReader(data[:len(data)-1]))
	refused("cut short", "cut short", err)
	flipped := slices.Clone(data)
	flipped[len(data)-9] ^= 4
	_, err = Read(bytes.NewReader(flipped))
	refused("damaged", "damaged", err)
	_, err = Load(path + "x")
	refused("missing", path+"x", err)
	for name, change := range map[string]func(map[string][]float32){
		"missing": func(w map[string][]float32) { delete(w, "voc.head.b") },
		"unknown": func(w map[string][]float32) { w["voc.more"] = []float32{1} },
		"numbers": func(w map[string][]float32) { w["voc.head.b"] = make([]float32, 3) },
		"NaN":     func(w map[string][]float32) { w["voc.stem.b"] = constant(c.Width, float32(math.NaN())) },
	} {
		bad := maps.Clone(tensors)
		change(bad)
		_, err := NewNet(c, nil, bad)
		refused(name, name, err)
	}
	odd := c
	odd.Features.NFFT = 500
	_, err = NewNet(odd, nil, weights.Vocoder(odd.Params(), 1))
	refused("transform", "power of two", err)
	odd = c
	odd.Kernel = 4
	_, err = NewNet(odd, nil, tensors)
	refused("config", "kernel", err)
}

func BenchmarkNeural(b *testing.B) {
	for _, preset := range NetPresets() {
		for _, chunk := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/chunk=%d", preset, chunk), func(b *testing.B) {
				cfg := features.DefaultConfig()
				const samples = 32000
				f := framesOf(b, cfg, vowels(cfg.SampleRate, samples))
				s := randomNet(netConfig(b, preset, cfg), 1).NewStream(1)
				dst := make([]float32, 0, samples+cfg.WinLength)
				b.ReportAllocs()
				for b.Loop() {
					dst = dst[:0]
					for at := 0; at < f.Len(); at += chunk {
						end := min(at+chunk, f.Len())
						dst = s.Process(dst, f.LogMel[at*cfg.NMels:end*cfg.NMels], f.F0[at:end])
					}
					dst = s.Flush(dst)
				}
				reportRTF(b, cfg, samples)
			})
		}
	}
}

// Passes bring the mel bands nearer to the wanted ones; any chunking still gives the same bits, and Latency is the truth.
func TestPolishedNeural(t *testing.T) {
	cfg := features.DefaultConfig()
	net := randomNet(netConfig(t, "tiny", cfg), 4)
	x := make([]float32, 60*cfg.Hop)
	for i := range x {
		x[i] = float32(0.2*math.Sin(2*math.Pi*150*float64(i)/16000) + 0.1*math.Sin(2*math.Pi*900*float64(i)/16000))
	}
	f, err := features.Extract(cfg, x)
	if err != nil {
		t.Fatal(err)
	}
	distance := func(y []float32) float64 {
		g, err := features.Extract(cfg, y)
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		for i := range f.LogMel {
			sum += math.Abs(float64(f.LogMel[i] - g.LogMel[i]))
		}
		return sum / float64(len(f.LogMel))
	}
	last := math.Inf(1)
	for _, passes := range []int{0, 1, 3} {
		s, err := net.NewPolishedStream(1, passes)
		if err != nil {
			t.Fatal(err)
		}
		if want := cfg.WinLength/2 + 2*cfg.Hop*passes; s.Latency() != want {
			t.Errorf("%d passes: latency %d samples, want %d", passes, s.Latency(), want)
		}
		whole := s.FlushTo(s.Process(nil, f.LogMel, f.F0), len(x))
		var pieces []float32
		for at := 0; at < f.Len(); at += 7 {
			end := min(at+7, f.Len())
			pieces = s.Process(pieces, f.LogMel[at*cfg.NMels:end*cfg.NMels], f.F0[at:end])
			if want := max(0, end*cfg.Hop-s.Latency()); len(pieces) != want {
				t.Fatalf("%d passes: %d samples after %d frames, want %d", passes, len(pieces), end, want)
			}
		}
		if pieces = s.FlushTo(pieces, len(x)); !slices.Equal(whole, pieces) {
			t.Errorf("%d passes: chunks make a difference", passes)
		}
		d := distance(whole)
		if d >= last {
			t.Errorf("%d passes: log-mel off by %g, by %g with fewer", passes, d, last)
		}
		last = d
	}
	if _, err := net.NewPolishedStream(1, -1); err == nil {
		t.Error("-1 passes: no error")
	}
}

// With EnvelopeOnly the pitch is F0's, even where the log-mel has the harmonics of another.
func TestEnvelopeOnlyLeavesPitchToF0(t *testing.T) {
	cfg := features.DefaultConfig()
	f := framesOf(t, cfg, vowels(cfg.SampleRate, cfg.SampleRate))
	source, err := NewNetSource(cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	frame := Frame{
		Input:     make([]float32, 3*cfg.NMels+PitchInputs),
		Harmonics: make([]float32, 2*cfg.Bins()), Noise: make([]float32, 2*cfg.Bins()),
	}
	roughness := func(mel []float32) (sum float64) { // of the wanted bands, which harmonics make rough
		for m := 2; m < 30; m++ {
			sum += math.Abs(float64(mel[m-2] - 2*mel[m-1] + mel[m]))
		}
		return sum
	}
	rough, smooth := 0.0, 0.0
	for i := range f.Len() {
		for _, on := range []bool{false, true} {
			source.EnvelopeOnly(on)
			source.Next(frame, f.Mel(i), 220, nil)
			if on {
				smooth += roughness(frame.Input[:cfg.NMels])
			} else {
				rough += roughness(frame.Input[:cfg.NMels])
			}
		}
		source.Next(frame, f.Mel(i), 0, nil)
		for m, v := range frame.Input[:cfg.NMels] {
			if d := math.Abs(float64(v - max(f.Mel(i)[m], cfg.NormalizeMel(0)))); d > 1e-3 {
				t.Fatalf("frame %d without voice: band %d changed by %g", i, m, d)
			}
		}
	}
	if smooth > 0.6*rough {
		t.Errorf("roughness %g with the envelope only, %g without", smooth, rough)
	}
}
