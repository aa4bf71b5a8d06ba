package run

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/starvc/vc/internal/bounded"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/safetensors"
)

// FuzzMetrics reads lines that a run has left, in any state, and goes on with them.
func FuzzMetrics(f *testing.F) {
	f.Add([]byte("{\"step\":0,\"rate\":0.001,\"loss\":1.5}\n{\"step\":1,\"rate\":0.001,\"loss\":null}\n{\"step\":2,\"ra"), 2)
	f.Add([]byte("{\"step\":0,\"rate\":1e999}\n"), 0)
	f.Add([]byte("\x00\n{}\n"), -1)
	f.Fuzz(func(t *testing.T, text []byte, from int) {
		path := filepath.Join(t.TempDir(), "metrics.jsonl")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		bounded.Allocates(t, bounded.Beyond, func() {
			log, err := OpenMetrics(path, from)
			if err != nil {
				return
			}
			before, err := ReadMetrics(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range before {
				if m.Step >= from {
					t.Errorf("step %d was kept, from %d on they are made again", m.Step, from)
				}
			}
			if err := log.Add([]Record{{Step: from, Rate: 1, Metrics: map[string]float32{"loss": 2}}}); err != nil {
				t.Fatal(err)
			}
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			after, err := ReadMetrics(path)
			if err != nil || len(after) != len(before)+1 {
				t.Errorf("%d records, want %d and one, error %v", len(after), len(before), err)
			}
		})
	})
}

// FuzzRequest reads a config.json.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"command":"train","speakers":"a","output":"b","config":{"steps":3}}`))
	f.Add([]byte(`{"labels":"x"}`))
	f.Add([]byte(`{"config":{"net":null}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(requestPath(dir), text, 0o600); err != nil {
			t.Fatal(err)
		}
		bounded.Allocates(t, bounded.Beyond, func() {
			for _, command := range []string{"train", "train vocoder", "train phones", "train judge"} {
				var asked struct {
					Common
					Config struct {
						Steps int     `json:"steps"`
						Rate  float64 `json:"rate"`
					} `json:"config"`
				}
				if err := Names(nil).ReadRequest(dir, command, &asked); err != nil {
					continue
				}
				if err := WriteRequest(dir, &asked); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
}

// FuzzSnapshots finds the newest snapshot among files of any names that hold anything.
func FuzzSnapshots(f *testing.F) {
	f.Add("step-00000003.safetensors", "step-00000002.safetensors", []byte("rubbish"), "2", "gen/a", 4)
	f.Add("step-9999999999999999999.safetensors", "step--0000001.safetensors", []byte{}, "-1", "gen/a", 0)
	f.Fuzz(func(t *testing.T, broken, good string, rubbish []byte, step, tensor string, n int) {
		dir := t.TempDir()
		if broken != filepath.Base(broken) || good != filepath.Base(good) || n < 0 || n > 1000 {
			return
		}
		if os.WriteFile(filepath.Join(dir, broken), rubbish, 0o600) != nil {
			return
		}
		file, err := os.Create(filepath.Join(dir, good))
		if err != nil {
			return
		}
		err = safetensors.Write(file, []safetensors.Tensor{{Name: tensor, Shape: []int{n}, Data: make([]float32, n)}}, map[string]string{StepKey: step})
		file.Close()
		if err != nil {
			return
		}
		bounded.Allocates(t, bounded.Beyond, func() {
			vars, at, err := Snapshots{Dir: dir}.Load(func(string, ...any) {})
			if err == nil && vars != nil && (at < 0 || fmt.Sprint(at) != step || vars == (*mlx.Vars)(nil)) {
				t.Errorf("step %d of a snapshot that says %q", at, step)
			}
		})
	})
}
