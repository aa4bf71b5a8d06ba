package livesound

import (
	"math"
	"testing"
)

// What comes out does not click where the settings change, ends at what was asked for, and has the input as late as the voice.
func TestMixer(t *testing.T) {
	m := NewMixer(1, 1)
	m.Take([]float32{1, 2, 3, 4, 5, 6})
	y := []float32{10, 10, 10, 10}
	m.Mix(y, 0.5, 0)
	want := []float32{0.875 * (0.75*10 + 0.25*1), 0.75 * (0.5*10 + 0.5*2), 0.625 * (0.25*10 + 0.75*3), 0.5 * 4}
	for i := range want {
		if math.Abs(float64(y[i]-want[i])) > 1e-6 {
			t.Errorf("sample %d is %g, want %g", i, y[i], want[i])
		}
	}
	if m.Waiting() != 2 {
		t.Errorf("%d samples wait, want 2", m.Waiting())
	}
	y = []float32{10, 10, 10}
	m.Mix(y, 0.5, 0)
	if y[0] != 2.5 || y[1] != 3 || y[2] != 0 {
		t.Errorf("the rest is %v", y)
	}
	m.Take([]float32{7})
	m.Forget()
	if m.Mix(nil, 1, 1); m.Waiting() != 0 {
		t.Error("it forgets nothing")
	}
}

func TestFind(t *testing.T) {
	for i, name := range Names() {
		if l, ok := Find(name); !ok || l != Latencies()[i] {
			t.Errorf("%s: %v, %v", name, l, ok)
		}
	}
	if _, ok := Find("none"); ok {
		t.Error("there is one called none")
	}
}
