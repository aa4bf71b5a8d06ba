package eval

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/disturb"
)

// Conditions of exported sounds that are not conversions of one voice to another.
const (
	ownVoice = "own"     // a voice converted to itself
	copied   = "vocoder" // the source's own frames and pitch through the vocoder
)

// exportPath is where a conversion goes: source/target/utterance.wav, in a folder named like the condition unless that is Clean.
func (s *suite) exportPath(t task, condition string) string {
	if condition == disturb.Clean {
		condition = ""
	}
	return filepath.Join(s.o.Export, condition, t.source.Name, t.target.Name, utteranceOf(t.path)+".wav")
}

// disturbedPath is where a disturbed source goes, or a copy: condition/source/utterance.wav.
func (s *suite) disturbedPath(t task, condition string) string {
	return filepath.Join(s.o.Export, condition, t.source.Name, utteranceOf(t.path)+".wav")
}

func writeClip(path string, clip audio.Clip) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return audio.WriteFile(path, clip)
}

// exportCopies writes what the vocoder makes of the sources' own frames.
func (s *suite) exportCopies(ctx context.Context, p *pool, sources []task) error {
	return p.each(ctx, len(sources), func(i int) error {
		clip, _, err := s.vocode(ctx, sources[i].path)
		if err != nil {
			return fmt.Errorf("%s: %w", sources[i].path, err)
		}
		return writeClip(s.disturbedPath(sources[i], copied), clip)
	})
}

// ManifestHeader names the columns of the manifest: the sound as seen from the manifest's folder, who spoke, whose voice it is
// in, the utterance, what it says where that is known, the clean recording that it was made of, a recording of the target, which
// says the same words where same_words is 1, the condition ("clean", a disturbance such as "noise=15", "own" for a voice
// converted to itself, "vocoder" for the source through the vocoder alone), and the disturbed recording that was converted.
const ManifestHeader = "path\tsource\ttarget\tutterance\ttext\tsource_path\treference_path\tsame_words\tcondition\tdisturbed_path"

// writeManifest lists the sounds for judges that are not ours.
func (s *suite) writeManifest() error {
	err := atomicfile.Write(filepath.Join(s.o.Export, "manifest.tsv"), func(w io.Writer) error {
		b := bufio.NewWriter(w)
		fmt.Fprintln(b, ManifestHeader)
		for _, t := range s.tasks {
			s.writeLine(b, t, s.exportPath(t, disturb.Clean), disturb.Clean, "")
		}
		for _, t := range s.own {
			s.writeLine(b, t, s.exportPath(t, ownVoice), ownVoice, "")
		}
		for _, t := range s.sources() {
			t.target, t.reference, t.sameWords = t.source, "", false
			s.writeLine(b, t, s.disturbedPath(t, copied), copied, "")
		}
		for _, c := range s.o.Disturb {
			for _, t := range s.tasks {
				s.writeLine(b, t, s.exportPath(t, c.String()), c.String(), s.disturbedPath(t, c.String()))
			}
		}
		return b.Flush()
	})
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return nil
}

func (s *suite) writeLine(w io.Writer, t task, path, condition, disturbed string) {
	text, same := "", "0"
	if s.o.Text != nil {
		text = strings.Join(strings.Fields(s.o.Text(t.path)), " ")
	}
	if t.sameWords {
		same = "1"
	}
	fmt.Fprintln(w, strings.Join([]string{s.fromManifest(path), t.source.Name, t.target.Name, utteranceOf(t.path), text,
		absolute(t.path), absolute(t.reference), same, condition, s.fromManifest(disturbed)}, "\t"))
}

// fromManifest is a path of an exported file as the manifest names it.
func (s *suite) fromManifest(path string) string {
	if path == "" {
		return ""
	}
	rel, err := filepath.Rel(s.o.Export, path)
	if err != nil {
		return filepath.ToSlash(path) // it was joined to Export, so this does not happen
	}
	return filepath.ToSlash(rel)
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
