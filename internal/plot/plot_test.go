package plot

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// glide is a harmonic sound whose pitch rises from 100 to 200 Hz, as a log-mel of 80 bands at 100 frames/s.
func glide(title string, frames int) Mel {
	m := Mel{Title: title, NMels: 80, FrameRate: 100, FMaxHz: 8000}
	top := hzToMel(m.FMaxHz)
	for t := range frames {
		part := float64(t) / float64(frames)
		f0 := 100 * math.Pow(2, part)
		if part > 0.45 && part < 0.55 {
			f0 = 0
		}
		m.F0Hz = append(m.F0Hz, float32(f0))
		for i := range m.NMels {
			place := (float64(i) + 1) / 81 * top
			v := math.Log(1e-5)
			for k := 1.0; f0 > 0 && k*f0 < 4000; k++ {
				d := place - hzToMel(k*f0)
				v = math.Log(math.Exp(v) + math.Exp(-2*d*d-0.15*k))
			}
			m.LogMel = append(m.LogMel, float32(v))
		}
	}
	return m
}

func losses(n int) []float64 {
	y := make([]float64, n)
	for i := range y {
		y[i] = 0.3 + 4*math.Exp(-float64(i)/60) + 0.25*math.Sin(float64(i)*1.7)*math.Cos(float64(i)*0.31)
	}
	return y
}

// keep writes a picture where VC_PLOT_DIR says, for a person to look at.
func keep(t *testing.T, name string, data []byte) {
	if dir := os.Getenv("VC_PLOT_DIR"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, data []byte, want image.Point) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if got := img.Bounds().Size(); got != want {
		t.Errorf("picture is %v, want %v", got, want)
	}
	return img
}

func colours(img image.Image, r image.Rectangle) int {
	seen := map[[3]uint32]bool{}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			a, b, c, _ := img.At(x, y).RGBA()
			seen[[3]uint32{a, b, c}] = true
		}
	}
	return len(seen)
}

func TestMels(t *testing.T) {
	w, h := melLeft+melWide+melRight, melTop+melHeight+melBottom
	narrow := melLeft + melNarrow + melRight
	for _, c := range []struct {
		name string
		mels []Mel
		opt  MelOptions
		want image.Point
	}{
		{"one", []Mel{glide("one voice", 250)}, MelOptions{}, image.Pt(w, h)},
		{"stacked", []Mel{glide("input", 250), glide("output", 200)}, MelOptions{Title: "in.wav to spk3"},
			image.Pt(w, 2*h+headerHeight)},
		{"grid", []Mel{glide("source", 90), glide("converted, with a title that is far too long for its panel", 90), glide("target", 30)},
			MelOptions{Columns: 2}, image.Pt(2*narrow, 2*h)},
		{"long", []Mel{glide("half a minute", 3000)}, MelOptions{}, image.Pt(w, h)},
		{"short", []Mel{glide("one frame", 1)}, MelOptions{}, image.Pt(w, h)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Mels(&b, c.mels, c.opt); err != nil {
				t.Fatal(err)
			}
			keep(t, "mel-"+c.name+".png", b.Bytes())
			img := decode(t, b.Bytes(), c.want)
			top := c.want.Y - melBottom - melHeight
			if n := colours(img, image.Rect(melLeft, top, melLeft+20, top+melHeight)); n < 20 {
				t.Errorf("%d colours in the start of the spectrogram, want a picture", n)
			}
			if n := colours(img, image.Rect(0, top, melLeft-1, top+melHeight)); n < 5 {
				t.Errorf("%d colours beside the spectrogram, want labels", n)
			}
		})
	}
}

// A tone must appear at the height of its label: the brightest row of a band that holds it is found again.
func TestMelAxis(t *testing.T) {
	for _, hz := range []float64{200, 1000, 4000} {
		m := Mel{NMels: 80, FrameRate: 100, FMaxHz: 8000, LogMel: make([]float32, 80*10)}
		place := hzToMel(hz)/hzToMel(8000)*81 - 1
		for t := range 10 {
			for i := range 80 {
				m.LogMel[t*80+i] = -float32(math.Abs(float64(i) - place))
			}
		}
		img, err := MelImage([]Mel{m}, MelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		best, row := uint32(0), 0
		for y := melTop; y < melTop+melHeight; y++ {
			r, g, b, _ := img.At(melLeft+400, y).RGBA()
			if r+g+b > best {
				best, row = r+g+b, y
			}
		}
		want := melTop + melHeight*(1-hzToMel(hz)/hzToMel(8000))
		if math.Abs(float64(row)-want) > 3 {
			t.Errorf("%g Hz is drawn in row %d, its label in row %.0f", hz, row, want)
		}
	}
}

func TestHeatRises(t *testing.T) {
	before := -1.0
	for i, c := range heatTable {
		l := 0.2126*float64(c.R) + 0.7152*float64(c.G) + 0.0722*float64(c.B)
		if l < before {
			t.Errorf("entry %d is darker (%.1f) than the one before (%.1f)", i, l, before)
		}
		before = l
	}
	if heat(math.NaN()) != heatTable[0] || heat(2) != heatTable[mapSteps-1] || heat(math.Inf(-1)) != heatTable[0] {
		t.Error("values outside 0 to 1 are not clipped")
	}
}

func TestLines(t *testing.T) {
	y := losses(400)
	gap := losses(400)
	gap[100], gap[101] = math.NaN(), math.Inf(1)
	charts := []Chart{
		{Title: "Cycle loss", XLabel: "step", YLabel: "L1 of log-mel",
			Series: []Series{{Name: "training", Y: y, Smooth: 0.9}, {Name: "validation", X: []float64{0, 100, 200, 300, 399}, Y: []float64{4.2, 1.6, 0.9, 0.7, 0.6}}}},
		{Title: "Adversarial", XLabel: "step", YLabel: "loss", Series: []Series{{Name: "D", Y: gap}, {Name: "G", Y: losses(300)[20:]}}},
		{Title: "Learning rate", XLabel: "step", LogY: true, Series: []Series{{Y: []float64{1e-4, 3e-4, 1e-4, 1e-5, 0}, X: []float64{0, 5e4, 1e5, 1.5e5, 2e5}}}},
		{Title: "Not yet", XLabel: "step", YLabel: "loss", Series: []Series{{Name: "style"}}},
		{Title: "One point, constant", Series: []Series{{Name: "a", Y: []float64{3}}}},
	}
	var b bytes.Buffer
	if err := Lines(&b, charts, LineOptions{Title: "run: losses", Columns: 2}); err != nil {
		t.Fatal(err)
	}
	keep(t, "lines.png", b.Bytes())
	img := decode(t, b.Bytes(), image.Pt(2*chartWidth, 3*chartHeight+headerHeight))
	if n := colours(img, image.Rect(chartLeft, headerHeight+chartTop, chartWidth-chartRight, headerHeight+chartHeight-chartBottom)); n < 20 {
		t.Errorf("%d colours in the first chart, want curves", n)
	}
}

func TestRefusals(t *testing.T) {
	good := glide("x", 5)
	for _, c := range []struct {
		name   string
		change func(*Mel)
	}{
		{"no mels", func(m *Mel) { m.NMels = 0 }},
		{"no frames", func(m *Mel) { m.LogMel = nil }},
		{"half a frame", func(m *Mel) { m.LogMel = m.LogMel[:41] }},
		{"no rate", func(m *Mel) { m.FrameRate = math.NaN() }},
		{"no span", func(m *Mel) { m.FMaxHz = 0 }},
	} {
		m := good
		c.change(&m)
		if _, err := MelImage([]Mel{m}, MelOptions{}); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
	if _, err := MelImage(nil, MelOptions{}); err == nil {
		t.Error("no panels: no error")
	}
	if _, err := LineImage(nil, LineOptions{}); err == nil {
		t.Error("no charts: no error")
	}
	if _, err := LineImage([]Chart{{Series: []Series{{X: []float64{1}, Y: []float64{1, 2}}}}}, LineOptions{}); err == nil {
		t.Error("lengths differ: no error")
	}
	if _, err := LineImage(make([]Chart, 10000), LineOptions{}); err == nil {
		t.Error("far too many charts: no error")
	}
}

// Values that are not finite, and silence all through, still give a picture.
func TestHostileValues(t *testing.T) {
	for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, 3e38} {
		m := Mel{NMels: 4, FrameRate: 100, FMaxHz: 8000, LogMel: make([]float32, 40), F0Hz: []float32{v, v, v}}
		for i := range m.LogMel {
			m.LogMel[i] = v
		}
		if _, err := MelImage([]Mel{m, glide("x", 20)}, MelOptions{}); err != nil {
			t.Errorf("%g: %v", v, err)
		}
	}
}

func TestNiceTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      []string
	}{
		{0, 1, []string{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}},
		{0, 400000, []string{"0", "100k", "200k", "300k", "400k"}},
		{-80, 0, []string{"-80", "-60", "-40", "-20", "0"}},
		{1, 1, nil},
	} {
		var got []string
		for _, k := range niceTicks(c.low, c.high, 5) {
			got = append(got, k.label)
		}
		if len(got) != len(c.want) {
			t.Errorf("%g to %g: %q, want %q", c.low, c.high, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%g to %g: %q, want %q", c.low, c.high, got, c.want)
			}
		}
	}
}
