package eval

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/starvc/vc/audio"
)

// exported is where a conversion goes, source/target/utterance.wav.
func (s *suite) exported(t task) string {
	return filepath.Join(s.o.Export, t.source.Name, t.target.Name, utteranceOf(t.path)+".wav")
}

func writeClip(path string, clip audio.Clip) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return audio.WriteFile(path, clip)
}

// ManifestHeader names the columns of the manifest: the converted file as seen from the manifest's folder, who spoke,
// whose voice it is in, the utterance, what it says where that is known, the recording that was converted, and a
// recording of the target, which says the same words where same_words is 1.
const ManifestHeader = "path\tsource\ttarget\tutterance\ttext\tsource_path\treference_path\tsame_words"

// writeManifest lists the conversions for judges that are not ours.
func (s *suite) writeManifest() error {
	err := audio.WriteAtomic(filepath.Join(s.o.Export, "manifest.tsv"), func(w io.Writer) error {
		b := bufio.NewWriter(w)
		fmt.Fprintln(b, ManifestHeader)
		for _, t := range s.tasks {
			path, err := filepath.Rel(s.o.Export, s.exported(t))
			if err != nil {
				return err
			}
			text := ""
			if s.o.Text != nil {
				text = strings.Join(strings.Fields(s.o.Text(t.path)), " ")
			}
			same := 0
			if t.sameWords {
				same = 1
			}
			fmt.Fprintf(b, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", filepath.ToSlash(path), t.source.Name, t.target.Name, utteranceOf(t.path),
				text, absolute(t.path), absolute(t.reference), same)
		}
		return b.Flush()
	})
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return nil
}

func absolute(path string) string {
	if path == "" {
		return ""
	}
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}
