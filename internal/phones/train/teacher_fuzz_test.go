package train

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/starvc/vc/internal/bounded"
	"github.com/starvc/vc/internal/safetensors"
)

// FuzzTeacher reads features whose header says anything, in tensors of any shape.
func FuzzTeacher(f *testing.F) {
	f.Add(`{"name":"w","rate":50,"dims":4,"offset_s":0.01}`, "utt", 3, 4, 1.5)
	f.Add(`{"rate":1000,"dims":4096}`, "", 0, 4096, 0.0)
	f.Add(`{"rate":1,"dims":1,"offset_s":-1}`, "a", 1, 1, 1e300)
	f.Fuzz(func(t *testing.T, about, utt string, frames, dims int, seconds float64) {
		if frames < 0 || dims < 0 || frames > 100 || dims > 5000 {
			return
		}
		dir := t.TempDir()
		file, err := os.Create(filepath.Join(dir, "ann.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		err = safetensors.Write(file, []safetensors.Tensor{{Name: utt, Shape: []int{frames, dims}, Data: make([]float32, frames*dims)}}, map[string]string{teacherKey: about})
		file.Close()
		if err != nil {
			return
		}
		bounded.Allocates(t, bounded.Beyond, func() {
			teacher, err := openTeacher(dir)
			if err != nil {
				t.Fatal(err)
			}
			all, err := teacher.speaker("ann")
			if err != nil {
				return
			}
			for _, u := range all {
				if u.fits(seconds) != nil {
					continue
				}
				row := make([]float32, u.about.Dims)
				for _, at := range []float64{-1, 0, seconds / 3, seconds, seconds + 1, 1e18} {
					u.at(row, at)
				}
			}
		})
	})
}
