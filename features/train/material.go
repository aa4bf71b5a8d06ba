package train

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// Recording is a signal at the rate of features.DefaultConfig and its F0 as the teacher gives it.
type Recording struct {
	Speaker, Name string
	Samples       []float32
	F0            []float64 // Hz of every 10 ms, 0 = unvoiced
}

// ReadSpeech reads every recording of the folders that references has an F0 for: FOLDER/SPEAKER/FILE (WAV or FLAC) and
// references/SPEAKER.txt, which testdata/f0_references.py of package features writes. Speakers of which there are no
// references are left out, and so are those named in without; a recording without a reference, or with one of another
// length, is an error. The order is that of the names.
func ReadSpeech(folders []string, references string, without []string) ([]Recording, error) {
	var all []Recording
	for _, folder := range folders {
		speakers, err := os.ReadDir(folder)
		if err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
		for _, s := range speakers {
			if !s.IsDir() || slices.Contains(without, s.Name()) {
				continue
			}
			list := filepath.Join(references, s.Name()+".txt")
			f0, err := readReferences(list)
			if os.IsNotExist(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			r, err := readSpeaker(filepath.Join(folder, s.Name()), s.Name(), list, f0)
			if err != nil {
				return nil, err
			}
			all = append(all, r...)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("train: no speaker of %s has references in %s; f0_references.py makes them",
			strings.Join(folders, ", "), references)
	}
	return all, nil
}

func readReferences(path string) (map[string][]float64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f0 := map[string][]float64{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for number := 1; lines.Scan(); number++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		v := make([]float64, len(fields)-1)
		for i, s := range fields[1:] {
			if v[i], err = strconv.ParseFloat(s, 64); err != nil || !(v[i] >= 0) || math.IsInf(v[i], 0) {
				return nil, fmt.Errorf("train: %s:%d: F0 %q of frame %d, want Hz or 0", path, number, s, i)
			}
		}
		f0[fields[0]] = v
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("train: %s: %w", path, err)
	}
	return f0, nil
}

func readSpeaker(folder, speaker, list string, f0 map[string][]float64) ([]Recording, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	rate := features.DefaultConfig().SampleRate
	var all []Recording
	for _, f := range files {
		if ext := filepath.Ext(f.Name()); ext != ".flac" && ext != ".wav" {
			continue
		}
		path := filepath.Join(folder, f.Name())
		want, ok := f0[f.Name()]
		if !ok {
			return nil, fmt.Errorf("train: %s has no line for %s; run f0_references.py again", list, path)
		}
		clip, err := audio.ReadFile(path)
		if err != nil {
			return nil, err
		}
		x := audio.Resample(clip.Samples, clip.Rate, rate)
		if frames := features.DefaultConfig().NumFrames(len(x)); math.Abs(float64(frames-len(want))) > 1 {
			return nil, fmt.Errorf("train: %s has %d frames, its reference in %s %d; run f0_references.py again",
				path, frames, list, len(want))
		}
		all = append(all, Recording{Speaker: speaker, Name: f.Name(), Samples: x, F0: want})
	}
	return all, nil
}
