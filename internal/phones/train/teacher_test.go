package train

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
	"github.com/starvc/vc/internal/safetensors"
)

const testDims = 3

// teach writes what a teacher makes of a speaker's recordings in a folder, and what change makes of that: the root of
// a frame's energy, its logarithm, and its change.
func teach(t testing.TB, recordings, folder, speaker string, change func(about map[string]any, list []safetensors.Tensor) []safetensors.Tensor) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recordings, speaker, "*.wav"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	slices.Sort(files)
	about := map[string]any{"name": "ear", "rate": 50, "dims": testDims, "offset_s": 0.01}
	var list []safetensors.Tensor
	for _, path := range files {
		clip, err := audio.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		hop := clip.Rate / 50
		n := len(clip.Samples) / hop
		data := make([]float32, n*testDims)
		for f := range n {
			sum := 1e-6
			for _, v := range clip.Samples[f*hop : (f+1)*hop] {
				sum += float64(v) * float64(v) / float64(hop)
			}
			data[f*testDims], data[f*testDims+1] = float32(8*math.Sqrt(sum)), float32(0.5*math.Log(sum)+2)
			if f > 0 {
				data[f*testDims+2] = data[f*testDims+1] - data[(f-1)*testDims+1]
			}
		}
		list = append(list, safetensors.Tensor{Name: corpus.UtteranceName(path), Shape: []int{n, testDims}, Data: data, DType: safetensors.F16})
	}
	if change != nil {
		list = change(about, list)
	}
	text, err := json.Marshal(about)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(folder, speaker+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	meta := map[string]string{teacherKey: string(text)}
	if about["name"] == nil {
		meta = nil
	}
	if err := safetensors.Write(f, list, meta); err != nil {
		t.Fatal(err)
	}
}

func TestTeacherInterpolates(t *testing.T) {
	t.Parallel()
	f := &teacherFrames{about: &teacherAbout{Rate: 50, Dims: 2, Offset: 0.01}, frames: 3}
	for _, v := range []float32{0, 10, 1, 20, 4, 0} {
		f.values = append(f.values, upper(v))
	}
	row := make([]float32, 2)
	for _, c := range []struct {
		seconds float64
		want    []float32
	}{
		{0, []float32{0, 10}}, {0.01, []float32{0, 10}}, {0.03, []float32{1, 20}}, {0.02, []float32{0.5, 15}}, {0.045, []float32{3.25, 5}},
		{0.05, []float32{4, 0}}, {0.06, []float32{4, 0}}, {0.0601, nil}, {0.08, nil},
	} {
		clear(row)
		if ok := f.at(row, c.seconds); ok != (c.want != nil) {
			t.Errorf("%g s: %v", c.seconds, ok)
		}
		for i, w := range c.want {
			if math.Abs(float64(row[i]-w)) > 1e-4 {
				t.Errorf("%g s: %v, want %v", c.seconds, row, c.want)
			}
		}
	}
	for _, v := range []float32{1, -0.3333, 1e-3, 7.77, -123} {
		if got := fromUpper(upper(v)); math.Abs(float64(got/v-1)) > 1.0/256 {
			t.Errorf("%g is kept as %g", v, got)
		}
	}
}

// What Python writes has no sums.
func TestTeacherOfAnotherProgram(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	header := `{"__metadata__":{"vc.teacher":"{\"name\":\"e\",\"rate\":50,\"dims\":2,\"offset_s\":0.01,\"pca\":\"more\"}"},"u1":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}`
	raw := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	raw = append(append(raw, header...), 0x00, 0x3c, 0x00, 0xc0) // 1, -2
	if err := os.WriteFile(filepath.Join(folder, "ann.safetensors"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := openTeacher(folder)
	if err != nil {
		t.Fatal(err)
	}
	all, err := source.speaker("ann")
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float32, 2)
	if !all["u1"].at(row, 0.01) || row[0] != 1 || row[1] != -2 {
		t.Errorf("read %v", row)
	}
	if other, err := source.speaker("bob"); other != nil || err != nil {
		t.Errorf("a speaker without a file: %v, %v", other, err)
	}
}

// The labels, the teacher's features and the sound of a crop belong together, at any speed.
func TestTaughtCrops(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	c.TeacherDims, c.Batch = 1, 16
	u := buzz(t, c, 2, 1)
	u.start = 10 // of the recording, with ten frames of it trimmed
	u.frames = u.frames.Slice(10, u.frames.Len())
	u.phones = u.phones[10:]
	for i := range u.phones {
		u.phones[i] = uint8(1 + i/20)
	}
	// The teacher tells the time.
	u.teacher = &teacherFrames{about: &teacherAbout{Rate: 50, Dims: 1, Offset: 0.01}, frames: 90} // and ends before the recording
	for i := range u.teacher.frames {
		u.teacher.values = append(u.teacher.values, upper(float32(0.01+float64(i)/50)))
	}
	n, silent, told := c.CropFrames, 0, 0
	for step := range 10 {
		batch := newBatcher(c, []labelled{u}).at(step)
		for i := range c.Batch {
			for f := range n {
				phone := slices.Index(batch.target[(i*n+f)*corpus.PhoneCount:][:corpus.PhoneCount], 1)
				seconds := float64(batch.teacher[i*n+f])
				if batch.taught[i*n+f] == 0 {
					silent++
					if seconds != 0 {
						t.Fatal("a frame without a target has one")
					}
					continue
				}
				told++
				if want := 1 + (seconds*100-10)/20; phone < 0 || math.Abs(float64(phone)+0.5-want) > 0.55+0.05 {
					t.Fatalf("step %d crop %d frame %d: phone %d where the teacher hears %.3f s", step, i, f, phone, seconds)
				}
			}
		}
	}
	if told == 0 || silent == 0 {
		t.Errorf("%d frames with a target, %d without", told, silent)
	}
}

func taughtRun(t *testing.T) (o Options, told *strings.Builder) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	recordings, labels := writePhoneSpeech(t, "ann", "bob", "eve", "mute")
	o = phoneRun(t, recordings, labels)
	o.Teacher = t.TempDir()
	told = &strings.Builder{}
	o.Stderr = told
	return o, told
}

func TestTaughtRun(t *testing.T) {
	o, told := taughtRun(t)
	teach(t, o.Speakers, o.Teacher, "ann", nil)
	teach(t, o.Speakers, o.Teacher, "mute", func(_ map[string]any, list []safetensors.Tensor) []safetensors.Tensor { return list[1:] })
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"no file for these, who teach by their labels alone: bob", "lacks 1 of 8 recordings", "ear, 50 frames/s of 3 numbers", "3 speakers,",
	} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("told without %q:\n%s", want, told)
		}
	}
	taught := 0
	for _, m := range phoneLines(t, o.RunDir) {
		v, ok := m.Metrics["teacher"]
		if _, step := m.Metrics["loss"]; step && (!ok || v < 0 || v != v) {
			t.Errorf("step %d: teacher %g, %v", m.Step, v, ok)
		}
		if v > 0 {
			taught++
		}
	}
	if taught < 6 { // of twelve; a batch of four may be bob's alone
		t.Errorf("the teacher taught in %d steps", taught)
	}
	for _, line := range []string{"in noise at 15 dB, 0 frames", "in babble at 15 dB, 2 frames", "in a room of 0.6 s, 2 frames", "on other speakers, 0 frames"} {
		if !strings.Contains(read(t, filepath.Join(o.RunDir, "scores.txt")), line) {
			t.Errorf("the scores lack %q", line)
		}
	}
	file, err := safetensors.ReadFile(o.Output)
	if err != nil {
		t.Fatal(err)
	}
	if file.Has("pho.teacher.w") {
		t.Error("the network's file holds the way to the teacher")
	}

	// It goes on with the teacher that it began with.
	// Beside itself it scores the same.
	compare := Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go"}, Compare: o.Output}
	if err := Run(context.Background(), compare); err != nil {
		t.Fatal(err)
	}
	step, own, _ := strings.Cut(read(t, filepath.Join(o.RunDir, "scores.txt")), ",")
	own, other, ok := strings.Cut(own, o.Output+",")
	if own = strings.ReplaceAll(own, step+",", ""); !ok || own != strings.ReplaceAll(other, o.Output+",", "") {
		t.Errorf("%s scores\n%s\nand its file\n%s", step, own, other)
	}
	compare.Compare = filepath.Join(o.Teacher, "ann.safetensors")
	if err := Run(context.Background(), compare); err == nil || !strings.Contains(err.Error(), "--compare: "+compare.Compare+": not a phone network") {
		t.Errorf("compared with a teacher: %v", err)
	}

	resume, recordings := Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Steps: 14}}, o.Speakers
	if err := Run(context.Background(), resume); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(o *Options)
		want   string
	}{
		"dilations": {func(o *Options) { o.Set = []string{"gan.encoderDilations=[2]"} }, "--set gan.encoderDilations [2]: the run began with []"},
		"width": {func(o *Options) {
			o.Teacher = t.TempDir()
			teach(t, recordings, o.Teacher, "ann", func(about map[string]any, list []safetensors.Tensor) []safetensors.Tensor {
				about["dims"] = 1
				for i := range list {
					list[i].Data = list[i].Data[:len(list[i].Data)/testDims]
					list[i].Shape = []int{len(list[i].Data), 1}
				}
				return list
			})
		}, "1 numbers per frame, those that the run began with 3"},
	} {
		again := resume
		again.Steps = 16
		c.change(&again)
		if err := Run(context.Background(), again); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// Speakers without labels can be kept out of a teacher's lessons too.
func TestUnlabelledHeldOut(t *testing.T) {
	for name, c := range map[string]struct {
		held []string
		want []string
	}{
		"beside a labelled one": {[]string{"eve", "mute"}, []string{"held out and not scored: mute", "2 speakers,", "of 1 other speakers"}},
		"alone":                 {[]string{"mute"}, []string{"held out and not scored: mute", "3 speakers,", "SAME speakers"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, told := taughtRun(t)
			o.HoldOut, o.Steps = c.held, 1
			teach(t, o.Speakers, o.Teacher, "ann", nil)
			teach(t, o.Speakers, o.Teacher, "mute", nil)
			if err := Run(context.Background(), o); err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(told.String(), want) {
					t.Errorf("told without %q:\n%s", want, told)
				}
			}
		})
	}
	t.Run("nobody has labels", func(t *testing.T) {
		o, _ := taughtRun(t)
		o.HoldOut, o.Speakers = nil, "mute="+filepath.Join(o.Speakers, "mute")
		teach(t, filepath.Dir(strings.TrimPrefix(o.Speakers, "mute=")), o.Teacher, "mute", nil)
		if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "none of 1 speakers has labels") {
			t.Errorf("error %v", err)
		}
	})
}

// What a teacher's folder lacks is told by name, and the run goes on without it.
func TestTeacherLacks(t *testing.T) {
	o, told := taughtRun(t)
	o.Steps = 1
	teach(t, o.Speakers, o.Teacher, "bob", func(_ map[string]any, l []safetensors.Tensor) []safetensors.Tensor { return l[1:] })
	for _, name := range []string{"Ann.safetensors", "ann.safetensors.part", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(o.Teacher, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"by their labels alone: ann", "ann.safetensors.part", "not finished", "of no speaker here: Ann.safetensors", "lacks 1 of 4 recordings", "such as u0 of bob"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("told without %q:\n%s", want, told)
		}
	}
	if strings.Contains(told.String(), "notes.txt") {
		t.Errorf("told:\n%s", told)
	}
}

// plain writes a file into the teacher's folder.
func plain(name, text string) func(t *testing.T, o Options) {
	return func(t *testing.T, o Options) {
		if err := os.WriteFile(filepath.Join(o.Teacher, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// foreign makes a speaker's file one of another program, which has no sums, and changes its data.
func foreign(t *testing.T, folder, speaker string, change func(data []byte)) {
	t.Helper()
	path := filepath.Join(folder, speaker+".safetensors")
	b := []byte(read(t, path))
	n := binary.LittleEndian.Uint64(b)
	var header map[string]map[string]any
	if err := json.Unmarshal(b[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	header["__metadata__"] = map[string]any{teacherKey: header["__metadata__"][teacherKey]}
	data := b[8+n:]
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	change(data)
	if err := os.WriteFile(path, slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text, data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTeacherRefused(t *testing.T) {
	type tensorsOf = func(about map[string]any, list []safetensors.Tensor) []safetensors.Tensor
	both := func(change tensorsOf) func(t *testing.T, o Options) {
		return func(t *testing.T, o Options) {
			teach(t, o.Speakers, o.Teacher, "ann", nil)
			teach(t, o.Speakers, o.Teacher, "bob", change)
		}
	}
	for name, c := range map[string]struct {
		write func(t *testing.T, o Options)
		want  []string
	}{
		"no folder": {func(t *testing.T, o Options) {
			if err := os.Remove(o.Teacher); err != nil {
				t.Fatal(err)
			}
		}, []string{"--teacher: ", "SPEAKER.safetensors"}},
		"empty":     {func(*testing.T, Options) {}, []string{"no features of any speaker", "ann.safetensors", "anew"}},
		"held only": {func(t *testing.T, o Options) { teach(t, o.Speakers, o.Teacher, "eve", nil) }, []string{"no features of any speaker"}},
		"no header": {both(func(about map[string]any, l []safetensors.Tensor) []safetensors.Tensor {
			delete(about, "name")
			return l
		}), []string{"bob.safetensors", "no vc.teacher"}},
		"dims": {both(func(about map[string]any, l []safetensors.Tensor) []safetensors.Tensor {
			about["dims"] = 4
			return l
		}), []string{"bob.safetensors", "of 4 numbers", "ann.safetensors has", "one teacher"}},
		"shape": {both(func(_ map[string]any, l []safetensors.Tensor) []safetensors.Tensor {
			l[1].Shape = []int{len(l[1].Data)}
			return l
		}), []string{"bob.safetensors", "utterance u1", "want [frames 3]"}},
		"rate": {both(func(about map[string]any, l []safetensors.Tensor) []safetensors.Tensor {
			about["rate"] = 100
			return l
		}), []string{"bob.safetensors", "100 frames/s", "one teacher"}},
		"no rate": {func(t *testing.T, o Options) {
			teach(t, o.Speakers, o.Teacher, "ann", func(about map[string]any, l []safetensors.Tensor) []safetensors.Tensor {
				about["rate"] = 0
				return l
			})
		}, []string{"ann.safetensors", "0 frames per second, want"}},
		"frames": {both(func(_ map[string]any, l []safetensors.Tensor) []safetensors.Tensor {
			l[2].Shape[0] -= 5
			l[2].Data = l[2].Data[:l[2].Shape[0]*testDims]
			return l
		}), []string{"bob.safetensors", "utterance u2", "frames, want", "anew"}},
		"NaN": {both(func(_ map[string]any, l []safetensors.Tensor) []safetensors.Tensor {
			l[2].Data[7*testDims] = float32(math.NaN())
			return l
		}), []string{"bob.safetensors", "utterance u2", "frame 7", "NaN"}},
		"others": {both(func(_ map[string]any, l []safetensors.Tensor) []safetensors.Tensor {
			for i := range l {
				l[i].Name = "x" + l[i].Name
			}
			return l
		}), []string{"bob.safetensors has none of bob's 4 recordings", `"xu0"`, `"u3"`}},
		"cut": {func(t *testing.T, o Options) {
			teach(t, o.Speakers, o.Teacher, "ann", nil)
			path := filepath.Join(o.Teacher, "ann.safetensors")
			if err := os.WriteFile(path, []byte(read(t, path))[:2000], 0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"ann.safetensors", "cut short"}},
		"longer": {both(func(_ map[string]any, l []safetensors.Tensor) []safetensors.Tensor {
			l[2].Shape[0] += 5
			l[2].Data = append(slices.Clone(l[2].Data), l[2].Data[:5*testDims]...)
			return l
		}), []string{"bob.safetensors", "utterance u2", "frames, want", "anew"}},
		"another version": {both(func(about map[string]any, l []safetensors.Tensor) []safetensors.Tensor {
			about["version"] = 2
			return l
		}), []string{"bob.safetensors", "version 2", "reads version 1"}},
		"text for a number": {both(func(about map[string]any, l []safetensors.Tensor) []safetensors.Tensor {
			about["rate"] = "50"
			return l
		}), []string{"bob.safetensors", "vc.teacher", "rate", "a text"}},
		"not written to its end": {func(t *testing.T, o Options) {
			teach(t, o.Speakers, o.Teacher, "ann", nil)
			foreign(t, o.Teacher, "ann", func(data []byte) { clear(data[len(data)*4/5:]) }) // as after a power cut
		}, []string{"ann.safetensors", "utterance u3", "zeros", "anew"}},
		"an utterance of nothing": {func(t *testing.T, o Options) {
			teach(t, o.Speakers, o.Teacher, "ann", nil)
			foreign(t, o.Teacher, "ann", func(data []byte) { clear(data) })
		}, []string{"ann.safetensors", "utterance u0", "zeros", "anew"}},
		"flipped bits": {func(t *testing.T, o Options) {
			teach(t, o.Speakers, o.Teacher, "ann", nil)
			path := filepath.Join(o.Teacher, "ann.safetensors")
			b := []byte(read(t, path))
			b[len(b)-9] ^= 1
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"ann.safetensors", "damaged"}},
		"an empty file":      {plain("ann.safetensors", ""), []string{"ann.safetensors", "cut short"}},
		"another file":       {plain("ann.safetensors", "no features at all, but a text"), []string{"ann.safetensors", "not a safetensors file"}},
		"another ending":     {plain("ann.npz", "x"), []string{"no features of any speaker"}},
		"only the beginning": {plain("ann.safetensors.part", "x"), []string{"no features of any speaker", "ann.safetensors.part", "not finished"}},
		"a folder for a file": {func(t *testing.T, o Options) {
			if err := os.Mkdir(filepath.Join(o.Teacher, "ann.safetensors"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, []string{"ann.safetensors", "is a folder"}},
		"a link to nothing": {func(t *testing.T, o Options) {
			teach(t, o.Speakers, o.Teacher, "bob", nil)
			if err := os.Symlink("nowhere", filepath.Join(o.Teacher, "ann.safetensors")); err != nil {
				t.Skip(err)
			}
		}, []string{"ann.safetensors", "link to nothing"}},
		"a file for a folder": {func(t *testing.T, o Options) {
			if err := errors.Join(os.Remove(o.Teacher), os.WriteFile(o.Teacher, nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}, []string{"--teacher: ", "SPEAKER.safetensors"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := taughtRun(t)
			c.write(t, o)
			err := Run(context.Background(), o)
			t.Logf("%s", strings.ReplaceAll(fmt.Sprint(err), o.Teacher, "TEACHER"))
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want one with %q", err, want)
				}
			}
			if _, err := os.Stat(o.RunDir); err == nil {
				t.Error("there is a run folder")
			}
		})
	}
}

// A teacher helps: its features are learnt, beside the phones.
func TestTeacherIsLearned(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	c.TeacherDims, c.Dropout, c.Steps = 2, 0, 40
	var us []labelled
	for i := range 4 {
		u := buzz(t, c, 1, uint64(i))
		n := len(u.sound.samples) / 320
		u.teacher = &teacherFrames{about: &teacherAbout{Rate: 50, Dims: 2, Offset: 0.01}, frames: n}
		for f := range n { // where the formant is, and a constant
			at := (float64(f) + 0.5) / 50
			u.teacher.values = append(u.teacher.values, upper(float32(math.Sin(5*at+float64(i)))), upper(2))
		}
		us = append(us, u)
	}
	e, batcher := phoneEngine(t, c), newBatcher(c, us)
	var first, last float32
	for step := range c.Steps {
		out, err := e.learnPhones(c, phoneInputs(c, batcher.at(step), step))
		if err != nil {
			t.Fatal(err)
		}
		v := out[0].Fetch()
		if got := fmt.Sprint(out[0].Names); v[0] != 1 || len(v) != 5 || got != "[ok norm loss accuracy teacher]" {
			t.Fatalf("step %d: %s %v", step, got, v)
		}
		if step == 0 {
			first = v[4]
		}
		last = v[4]
	}
	if last > 0.3*first {
		t.Errorf("the teacher's error went from %.3f to %.3f, want a third or less", first, last)
	}
}
