package corpus

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/starvc/vc/internal/bounded"
)

func FuzzAligned(f *testing.F) {
	f.Add([]byte("group\tspeaker\tutt\tuse\n1\tann\ta\tsource\n1\tbob\ta\ttarget\n"))
	f.Add([]byte("utt\tspeaker\tgroup\na\tann\t\"1\n"))
	f.Add([]byte("group\tspeaker\tutt\n1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		bounded.Allocates(t, bounded.Beyond, func() {
			groups, err := parseAligned(bytes.NewReader(text))
			if err != nil {
				return
			}
			for _, g := range groups {
				for _, u := range g {
					if u.Speaker == "" || u.Utt == "" {
						t.Errorf("an empty name in %+v", g)
					}
				}
			}
		})
	})
}

// FuzzScan reads a speaker's folder of any name, with a description of any content.
func FuzzScan(f *testing.F) {
	f.Add("ann", "1.wav", []byte("woman, US English\n"))
	f.Add("a b", ".wav", []byte{0xff})
	f.Add("..", "x\xff.flac", []byte("\ufeffx"))
	f.Fuzz(func(t *testing.T, speaker, recording string, about []byte) {
		root := t.TempDir()
		dir := filepath.Join(root, speaker)
		if speaker != filepath.Base(speaker) || recording != filepath.Base(recording) || speaker == ".." || os.MkdirAll(dir, 0o700) != nil {
			return
		}
		if os.WriteFile(filepath.Join(dir, recording), nil, 0o600) != nil || os.WriteFile(filepath.Join(dir, aboutFile), about, 0o600) != nil {
			return
		}
		bounded.Allocates(t, bounded.Beyond, func() {
			for _, spec := range []string{root, dir, speaker + "=" + dir} {
				speakers, err := Scan(spec)
				if err != nil {
					continue
				}
				for _, s := range speakers {
					if nameFault(s.Name) != "" || len(s.Files) == 0 {
						t.Errorf("%+v", s)
					}
				}
			}
		})
	})
}
