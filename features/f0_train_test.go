package features

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var (
	f0Material   = flag.String("f0-material", "", "folder made by testdata/f0_material.py")
	f0InputsFile = flag.String("f0-inputs", "", "file that TestF0TrainingInputs writes")
)

// TestF0TrainingInputs writes what the voicing network sees in each frame of the material, for testdata/f0_train.py, and
// logs each speaker's scores. Without the flags it is skipped.
func TestF0TrainingInputs(t *testing.T) {
	if *f0Material == "" {
		t.Skip("no -f0-material")
	}
	cfg := DefaultConfig()
	out := bufio.NewWriter(nil)
	if *f0InputsFile != "" {
		file, err := os.Create(*f0InputsFile)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		out.Reset(file)
		defer out.Flush()
	}
	speakers, err := os.ReadDir(*f0Material)
	if err != nil {
		t.Fatal(err)
	}
	for _, speaker := range speakers {
		files, _ := filepath.Glob(filepath.Join(*f0Material, speaker.Name(), "*.f32"))
		var score f0Score
		for number, file := range files {
			x, want := readF0Material(t, file)
			p := NewF0Tracker(cfg)
			var got []float32
			for frame, f0 := range want {
				end := frame*cfg.Hop + cfg.WinLength/2
				from := 0
				if frame > 0 {
					from = end - cfg.Hop
				}
				if end > len(x) {
					break
				}
				got = p.Process(got, x[from:end])
				if *f0InputsFile != "" {
					fmt.Fprintf(out, "%s %d", speaker.Name(), number)
					for _, v := range p.voice.in {
						fmt.Fprintf(out, " %.4f", v)
					}
					fmt.Fprintf(out, " %.2f\n", f0)
				}
			}
			score.add(p.Flush(got), want)
		}
		t.Logf("%-14s gross error %5.2f %%, voicing error %5.2f %% (%d frames)",
			speaker.Name(), score.grossError(), score.voicingError(), score.frames)
	}
}

func readF0Material(t *testing.T, file string) (x []float32, f0 []float64) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	x = make([]float32, len(raw)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	text, err := os.ReadFile(strings.TrimSuffix(file, ".f32") + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	for field := range strings.FieldsSeq(string(text)) {
		var v float64
		if _, err := fmt.Sscan(field, &v); err != nil {
			t.Fatal(err)
		}
		f0 = append(f0, v)
	}
	return x, f0
}
