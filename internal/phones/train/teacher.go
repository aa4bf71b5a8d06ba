package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/cores"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/safetensors"
)

// A teacher is a larger network that has heard the clean recordings; its features, one row of numbers of unit variance
// per frame, lie in a folder with a file per speaker, and the phone network learns to give them from what it hears
// disturbed (Hinton et al. 2015; Hsu et al. 2021 for features as targets).

// teacherKey is where a file of features tells, in its header, what they are.
const teacherKey = "vc.teacher"

// teacherAbout is what a teacher's file says of itself.
type teacherAbout struct {
	Name   string  `json:"name"`
	Rate   float64 `json:"rate"`     // frames per second
	Dims   int     `json:"dims"`     // numbers per frame
	Offset float64 `json:"offset_s"` // the centre of frame 0, seconds from the beginning of the recording

	Version int `json:"version"` // of what the file is like: teacherVersion, or 0 in files that are older than the number
}

// teacherVersion is that of the files that are read.
const teacherVersion = 1

// teacherFrames are the features of one recording.
type teacherFrames struct {
	about  *teacherAbout
	frames int
	values []uint16 // [frames, dims], bfloat16: the upper half of a float32
}

// at fills row, [dims], with the features at a time, on a straight line between those before and after. It is false
// where there are none.
func (f *teacherFrames) at(row []float32, seconds float64) bool {
	place := (seconds - f.about.Offset) * f.about.Rate
	last := float64(f.frames - 1)
	if place < -1 || place > last+0.5 {
		return false
	}
	place = math.Max(0, math.Min(place, last))
	low := int(place)
	part := float32(place - float64(low))
	a := f.values[low*f.about.Dims:][:f.about.Dims]
	b := f.values[min(low+1, f.frames-1)*f.about.Dims:][:f.about.Dims]
	for i := range row {
		x, y := fromUpper(a[i]), fromUpper(b[i])
		row[i] = x + part*(y-x)
	}
	return true
}

func fromUpper(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// upper is the nearest number of sixteen bits.
func upper(v float32) uint16 { return uint16((math.Float32bits(v) + 0x8000) >> 16) }

// teacherTolerance is how many frames the features may be longer or shorter than the recording: encoders pad, and drop
// what is left.
const teacherTolerance = 2

const teacherRemedy = "write the features anew from these recordings"

// teacherEnding is that of the files, behind the speaker's name.
const teacherEnding = ".safetensors"

// teacher is a folder of features.
type teacher struct {
	folder string
	about  *teacherAbout // of the first file
	first  string        // its path
}

// speaker reads the features of a speaker's utterances by their names; nil for a speaker who has no file.
func (t *teacher) speaker(name string) (map[string]*teacherFrames, error) {
	path := t.path(name)
	if ok, err := isThere(path); !ok || err != nil {
		return nil, err
	}
	f, err := safetensors.ReadForeignFile(path)
	if err != nil {
		return nil, err
	}
	fail := func(format string, a ...any) error {
		return fmt.Errorf("%s: %w; %s", path, fmt.Errorf(format, a...), teacherRemedy)
	}
	text, ok := f.Metadata()[teacherKey]
	if !ok {
		return nil, fail("its header has no %s, so it holds no teacher's features", teacherKey)
	}
	about := &teacherAbout{}
	if err := json.Unmarshal([]byte(text), about); err != nil {
		return nil, fail("the header's %s: %w", teacherKey, run.PlainSettingError(err))
	}
	switch {
	case about.Version != 0 && about.Version != teacherVersion:
		return nil, fail("its %s is of version %d, and this program reads version %d", teacherKey, about.Version, teacherVersion)
	case !(about.Rate >= 1 && about.Rate <= 1000):
		return nil, fail("%g frames per second, want 1 to 1000", about.Rate)
	case about.Dims < 1 || about.Dims > 4096:
		return nil, fail("%d numbers per frame, want 1 to 4096", about.Dims)
	case !(math.Abs(about.Offset) <= 1):
		return nil, fail("offset_s is %g, want a time within a second", about.Offset)
	}
	about.Version = teacherVersion
	switch {
	case t.about == nil:
		t.about, t.first = about, path
	case *about != *t.about:
		return nil, fail("%s, but %s has %s: all files must come from one teacher", about, t.first, t.about)
	}
	all := map[string]*teacherFrames{}
	for _, tensor := range f.Tensors() {
		if len(tensor.Shape) != 2 || tensor.Shape[1] != about.Dims || tensor.Data == nil {
			return nil, fail("utterance %s: shape %v of %s, want [frames %d] of F16 or F32",
				tensor.Name, tensor.Shape, tensor.DType, about.Dims)
		}
		own := &teacherFrames{about: about, frames: tensor.Shape[0], values: make([]uint16, len(tensor.Data))}
		for i, v := range tensor.Data {
			if v != v || math.IsInf(float64(v), 0) {
				return nil, fail("utterance %s: frame %d has a number that is %g", tensor.Name, i/about.Dims, v)
			}
			own.values[i] = upper(v)
		}
		if n := own.unwritten(); n >= mostZeros || n > 0 && n == own.frames {
			return nil, fail("utterance %s: the last %d of its %d frames are zeros, as in a file that was not written to its end", tensor.Name, n, own.frames)
		}
		all[tensor.Name] = own
	}
	if len(all) == 0 {
		return nil, fail("no utterances")
	}
	return all, nil
}

// mostZeros is how many frames of zeros an utterance may end with.
const mostZeros = 10

// unwritten is how many frames at the end have nothing but zeros.
func (f *teacherFrames) unwritten() (n int) {
	for i := len(f.values) - 1; i >= 0 && f.values[i]&0x7fff == 0; i-- {
		n++
	}
	return n / f.about.Dims
}

func (a *teacherAbout) String() string {
	return fmt.Sprintf("%s, %g frames/s of %d numbers from %g s on", a.Name, a.Rate, a.Dims, a.Offset)
}

// fits tells whether the features are as long as the recording.
func (f *teacherFrames) fits(seconds float64) error {
	want := seconds * f.about.Rate
	if f.frames < 1 || math.Abs(float64(f.frames)-want) > teacherTolerance {
		return fmt.Errorf("%d frames, want %.0f for the %.2f s of the recording at %g frames/s",
			f.frames, want, seconds, f.about.Rate)
	}
	return nil
}

// selfTeacher in place of a folder has the network of --init teach: what its hidden layer made of the clean recordings is what the one in
// training is to make of the disturbed ones. So what stands on that layer, such as a voice model's decoder, goes on understanding it.
const selfTeacher = "self"

// teachSelf gives the utterances what a network's hidden layer makes of them, with all of its look-ahead.
func teachSelf(us []labelled, n *network, f features.Config) {
	perSecond := float64(f.SampleRate) / float64(f.Hop)
	cores.All(len(us), func(_, i int) {
		u := &us[i]
		hidden := n.ear.Hidden(u.frames.LogMel)
		about := &teacherAbout{Name: selfTeacher, Rate: perSecond, Dims: n.GAN.Bottleneck, Offset: float64(u.start) / perSecond, Version: teacherVersion}
		u.teacher = &teacherFrames{about: about, frames: u.frames.Len(), values: make([]uint16, len(hidden))}
		for j, v := range hidden {
			u.teacher.values[j] = upper(v)
		}
	})
}

// openTeacher checks that a folder is there.
func openTeacher(folder string) (*teacher, error) {
	if folder == "" || folder == selfTeacher {
		return nil, nil
	}
	if _, err := os.ReadDir(folder); err != nil {
		return nil, fmt.Errorf("%w; name the folder that holds a file SPEAKER.safetensors per speaker", err)
	}
	return &teacher{folder: folder}, nil
}

func (t *teacher) path(speaker string) string { return filepath.Join(t.folder, speaker+teacherEnding) }

// has tells whether a speaker has a file in the folder; nobody has without a teacher.
func (t *teacher) has(speaker string) bool {
	if t == nil {
		return false
	}
	ok, err := isThere(t.path(speaker))
	return ok || err != nil // which reading it tells
}

// isThere tells whether there is a file. What stands in its place is an error.
func isThere(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return false, fmt.Errorf("%s: is a folder, want a file of features", path)
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return false, fmt.Errorf("%s: is a link to nothing: put the file back that it points to", path)
		}
		return false, nil
	}
	return err == nil, err
}

// beside names what may be meant for speakers who have no file: theirs of which only a beginning is there, and files of nobody.
func (t *teacher) beside(without []string, known []phoneSpeaker) (unfinished, strangers []string) {
	entries, err := os.ReadDir(t.folder)
	if err != nil {
		return nil, nil
	}
	for _, e := range entries {
		name, ending, _ := strings.Cut(e.Name(), teacherEnding)
		switch {
		case ending != "" && slices.Contains(without, name):
			unfinished = append(unfinished, e.Name())
		case name+teacherEnding == e.Name() && !slices.ContainsFunc(known, func(s phoneSpeaker) bool { return s.Name == name }):
			strangers = append(strangers, e.Name())
		}
	}
	return unfinished, strangers
}

// few is a list for a sentence, at most five of it.
func few(names []string) string {
	if more := len(names) - 5; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:5], ", "), more)
	}
	return strings.Join(names, ", ")
}

// teach gives the utterances to train on their features. What is missing is told, and learnt by labels alone.
func (t *teacher) teach(s *phoneSpeech, c Config, say *run.Reporter) error {
	var without []string
	missing, taught, total := 0, 0, 0
	lacks := "" // the first recording that is missing
	for i := range s.speakers {
		if s.speakers[i].HeldOut {
			continue
		}
		name := s.speakers[i].Name
		all, err := t.speaker(name)
		if err != nil {
			return err
		}
		if all == nil {
			without = append(without, name)
			continue
		}
		mine, found := 0, 0
		example := ""
		for j := range s.train {
			u := &s.train[j]
			if u.speaker != i {
				continue
			}
			mine++
			own := all[u.name()]
			if own == nil {
				missing++
				example = u.name()
				lacks = cmp.Or(lacks, example+" of "+name)
				continue
			}
			if err := own.fits(u.sound.seconds(c.Features)); err != nil {
				return fmt.Errorf("%s: utterance %s: %w: %s", t.path(name), u.name(), err, teacherRemedy)
			}
			u.teacher = own
			found++
		}
		if mine > 0 && found == 0 {
			names := make([]string, 0, len(all))
			for n := range all {
				names = append(names, n)
			}
			slices.Sort(names)
			return fmt.Errorf("%s has none of %s's %d recordings (it has %q, the speaker %q): %s",
				t.path(name), name, mine, names[0], example, teacherRemedy)
		}
		taught += found
		total += mine
	}
	unfinished, strangers := t.beside(without, s.speakers)
	if taught == 0 {
		found := ""
		if len(unfinished) > 0 {
			found = fmt.Sprintf(" (%s was not finished)", unfinished[0])
		}
		return fmt.Errorf("%s has no features of any speaker to train on, such as %s%s%s: %s",
			t.folder, s.speakers[0].Name, teacherEnding, found, teacherRemedy)
	}
	if len(without) > 0 {
		say.Linef("the teacher has no file for these, who teach by their labels alone: %s",
			strings.Join(without, ", "))
		if len(unfinished) > 0 {
			say.Linef("warning: files that were not finished, and are not used: %s", few(unfinished))
		}
		if len(strangers) > 0 {
			say.Linef("its files of no speaker here: %s", few(strangers))
		}
	}
	if missing > 0 {
		say.Linef("the teacher lacks %d of %d recordings of the speakers it has, which teach by their labels alone, such as %s",
			missing, total, lacks)
	}
	say.Linef("teacher: %s, for %d recordings", t.about, taught)
	return nil
}
