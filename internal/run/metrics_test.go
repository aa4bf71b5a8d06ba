package run

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMetricsLines(t *testing.T) {
	nan32 := float32(math.NaN())
	for _, m := range []Record{
		{Step: 0, Rate: 0.5, Metrics: map[string]float32{}},
		{Step: 12, Rate: 1.25e-4, Metrics: map[string]float32{"cycle": 0.1, "adv_g": -3, "ok": 1, "big": 3.4e38, "small": 1e-45, "third": 1.0 / 3}},
		{Step: 1 << 30, Rate: 1.0 / 3, Metrics: map[string]float32{"norm_g": nan32, "loss": float32(math.Inf(1))}},
	} {
		path := filepath.Join(t.TempDir(), "metrics.jsonl")
		if err := os.WriteFile(path, m.line(), 0o600); err != nil {
			t.Fatal(err)
		}
		back, err := ReadMetrics(path)
		if err != nil || len(back) != 1 {
			t.Fatalf("%s: %v, %v", m.line(), back, err)
		}
		if got := back[0].line(); string(got) != string(m.line()) {
			t.Errorf("read and written again: %s, was %s", got, m.line())
		}
		for name, v := range m.Metrics {
			if got := back[0].Metrics[name]; got != v && v-v == 0 {
				t.Errorf("%s comes back as %g, was %g", name, got, v)
			}
		}
	}
}

func TestOpenMetricsDropsWhatWillBeMadeAgain(t *testing.T) {
	line := func(step int, name string, v float32) string {
		return string(Record{Step: step, Rate: 0.1, Metrics: map[string]float32{name: v}}.line())
	}
	whole := line(0, "cycle", 1) + line(1, "cycle", 2) + line(1, "valid_cycle", 3) + line(2, "cycle", 4)
	for _, c := range []struct {
		name, old string
		from      int
		want      string
	}{
		{"new", "", 0, ""},
		{"kept", whole, 3, whole},
		{"cut", whole, 2, line(0, "cycle", 1) + line(1, "cycle", 2) + line(1, "valid_cycle", 3)},
		{"from the start", whole, 0, ""},
		{"half a line at the end", whole + `{"step":3,"cyc`, 9, whole},
		{"half a line where it was cut", whole + line(3, "cycle", 5)[:20], 2, line(0, "cycle", 1) + line(1, "cycle", 2) + line(1, "valid_cycle", 3)},
		{"no metrics", "nonsense\n" + whole, 9, ""},
	} {
		path := filepath.Join(t.TempDir(), "metrics.jsonl")
		if c.old != "" {
			if err := os.WriteFile(path, []byte(c.old), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		log, err := OpenMetrics(path, c.from)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Add([]Record{{Step: 7, Metrics: map[string]float32{"x": 1}}, {Step: 8, Metrics: map[string]float32{"x": 2}}}); err != nil {
			t.Fatal(err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		got, _ := os.ReadFile(path)
		want := c.want + `{"step":7,"rate":0,"x":1}` + "\n" + `{"step":8,"rate":0,"x":2}` + "\n"
		if string(got) != want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, want)
		}
	}
}

// Lines that cannot be written wait for the next time, and none is lost or doubled.
func TestMetricsWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	log, err := OpenMetrics(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	whole := log.file
	if log.file, err = os.Open(path); err != nil { // not for writing
		t.Fatal(err)
	}
	if err := log.Add([]Record{{Step: 0}, {Step: 1}}); err == nil || !strings.Contains(err.Error(), "metrics") {
		t.Errorf("error %v", err)
	}
	log.file.Close()
	log.file = whole
	if err := log.Add([]Record{{Step: 2}}); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "{\"step\":0,\"rate\":0}\n{\"step\":1,\"rate\":0}\n{\"step\":2,\"rate\":0}\n"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}
