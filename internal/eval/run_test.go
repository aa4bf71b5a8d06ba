package eval

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/vocoder"
)

// twoSpeakers is a folder with two speakers who say the same two sentences; the second sentence is a faster first.
func twoSpeakers(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, v := range map[string]voice{"low": low, "high": high} {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for utterance, tempo := range map[string]float64{"u1": 1, "u2": 1.2} {
			clip := v.with(func(v *voice) { v.tempo = tempo }).says()
			if err := audio.WriteFile(filepath.Join(dir, utterance+".wav"), clip); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestRun(t *testing.T) {
	root, out := twoSpeakers(t), filepath.Join(t.TempDir(), "scores")
	cfg := DefaultParallelConfig()
	var steps, total int
	cfg.Progress = func(done, of int) { steps, total = done, of }
	table, err := Run(context.Background(), RunOptions{
		Root: root, Speakers: []string{"low", "high"}, Out: out, ParallelConfig: cfg,
		// The perfect converter to "high", one that does nothing to "low".
		Convert: func(_ context.Context, clip audio.Clip, to string) (audio.Clip, error) {
			if to == "high" {
				return high.with(func(v *voice) { v.tempo = 1.1 }).says(), nil
			}
			return clip, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if steps != total || total != 8+4+4 {
		t.Errorf("progress ended at %d of %d, want 16 of 16", steps, total)
	}
	up, down := table.Pairs[0], table.Pairs[1]
	if up.From != "low" || up.To != "high" || up.Clips != 2 || !up.Nearer() || up.Converted.Mean > 2 || up.Source.Mean < 4 {
		t.Errorf("low to high: %+v", up)
	}
	if down.Nearer() || down.Gain.Mean < -0.1 || table.Nearer != 1 || table.Worst != 1 || table.All.Clips != 4 {
		t.Errorf("high to low: %+v, nearer %d, worst %d", down, table.Nearer, table.Worst)
	}
	if v := up.Vocoder.Mean; !(v > 0 && v < up.Source.Mean/2) {
		t.Errorf("vocoder alone: %g dB, want above 0 and far below the source's %g", v, up.Source.Mean)
	}
	var text bytes.Buffer
	if err := table.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"low -> high", "1 of 2 directions", "Worst: high -> low", "Method: 24 mel-cepstra"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
	for _, name := range []string{"low/high/u1.wav", "high/low/u2.wav", "scores.json", "scores.txt"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	manifest, err := os.ReadFile(filepath.Join(out, "manifest.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(manifest), "low/high/u1.wav\tlow\thigh\tu1\t") || strings.Count(string(manifest), "\n") != 5 {
		t.Errorf("manifest:\n%s", manifest)
	}
}

func TestRunRefuses(t *testing.T) {
	root := twoSpeakers(t)
	same := func(_ context.Context, clip audio.Clip, _ string) (audio.Clip, error) { return clip, nil }
	ended, end := context.WithCancel(context.Background())
	end()
	tests := []struct {
		name string
		ctx  context.Context
		opts RunOptions
		want string
	}{
		{"one speaker", context.Background(), RunOptions{Speakers: []string{"low"}, Convert: same}, "1 speakers"},
		{"twice the same", context.Background(), RunOptions{Speakers: []string{"low", "low"}, Convert: same}, "twice"},
		{"no folder", context.Background(), RunOptions{Speakers: []string{"low", "mid"}, Convert: same}, "mid"},
		{"nothing in common", context.Background(), RunOptions{Speakers: []string{"low", "high"}, Utterances: []string{"u9"}, Convert: same}, "in common"},
		{"cancelled", ended, RunOptions{Speakers: []string{"low", "high"}, Convert: same}, "canceled"},
		{"converter fails", context.Background(), RunOptions{Speakers: []string{"low", "high"},
			Convert: func(context.Context, audio.Clip, string) (audio.Clip, error) {
				return audio.Clip{}, errors.New("no voice")
			}}, "no voice"},
		{"silence comes out", context.Background(), RunOptions{Speakers: []string{"low", "high"},
			Convert: func(context.Context, audio.Clip, string) (audio.Clip, error) {
				return audio.Clip{Samples: make([]float32, 16000), Rate: 16000}, nil
			}}, "silent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.Root, tt.opts.Out, tt.opts.ParallelConfig = root, t.TempDir(), DefaultParallelConfig()
			tt.opts.Vocode = nil
			_, err := Run(tt.ctx, tt.opts)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// Real recordings through their own frames and a vocoder: the floor under every conversion. The source filter is told F0
// and no phases; Griffin-Lim finds what recordings' frames show of both.
func TestCopySynthesisOfClips(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/clips/*.flac")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Skip("no recordings in testdata/clips")
	}
	griffinLim := DefaultParallelConfig()
	griffinLim.Vocoder = "griffin-lim"
	griffinLim.Vocode = func(_ context.Context, cfg features.Config, f features.Frames, samples int) ([]float32, error) {
		g, err := vocoder.NewGriffinLim(cfg, 32)
		if err != nil {
			return nil, err
		}
		return g.Synthesize(f.LogMel, samples), nil
	}
	for _, tt := range []struct {
		cfg          ParallelConfig
		mcd, voicing float64
	}{
		{DefaultParallelConfig(), 1.5, 0.08},
		{griffinLim, 0.7, 0.08},
	} {
		for _, path := range paths {
			t.Run(tt.cfg.Vocoder+" "+filepath.Base(path), func(t *testing.T) {
				clip, err := audio.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				heard, err := Analyze(clip, tt.cfg.Config)
				if err != nil {
					t.Fatal(err)
				}
				r, err := scoreCopy(context.Background(), clip, heard, tt.cfg)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("MCD %.2f dB, log-F0 correlation %.3f, F0 off by %.0f cents, voicing error %.1f %%",
					r.MCD, r.LogF0Corr, r.LogF0RMSE, 100*r.VoicingError)
				if r.MCD > tt.mcd || r.VoicingError > tt.voicing {
					t.Errorf("MCD %.2f dB and voicing error %.1f %%, want %.2f dB and %.1f %% or less",
						r.MCD, 100*r.VoicingError, tt.mcd, 100*tt.voicing)
				}
			})
		}
	}
}
