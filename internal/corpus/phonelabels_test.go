package corpus

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/features"
)

func TestReadPhoneLabels(t *testing.T) {
	head := phoneHeader + "\n"
	for name, c := range map[string]struct{ text, fault string }{
		"good":           {head + "a\t0\t0.1\tSIL\na\t0.1\t0.25\tAA\nb\t0.0\t1\tZH\n", ""},
		"carriage":       {strings.ReplaceAll(head+"a\t0\t0.1\tSIL\n", "\n", "\r\n"), ""},
		"gap":            {head + "a\t0\t0.1\tSIL\na\t0.2\t0.25\tAA\n", ""},
		"empty":          {"", "empty"},
		"no phones":      {head, "no phones"},
		"no header":      {"a\t0\t1\tSIL\n", "line 1"},
		"commas":         {head + "a,0,1,SIL\n", "line 2: 1 columns"},
		"five columns":   {head + "a\t0\t1\tSIL\tx\n", "5 columns"},
		"blank line":     {head + "\n", "line 2"},
		"no name":        {head + "\t0\t1\tSIL\n", "no utterance"},
		"word as time":   {head + "a\tzero\t1\tSIL\n", `time "zero"`},
		"not a number":   {head + "a\tNaN\t1\tSIL\n", `time "NaN"`},
		"negative":       {head + "a\t-1\t1\tSIL\n", `time "-1"`},
		"endless":        {head + "a\t0\tInf\tSIL\n", `time "Inf"`},
		"no length":      {head + "a\t1\t1\tSIL\n", "not after"},
		"backwards":      {head + "a\t2\t1\tSIL\n", "not after"},
		"overlap":        {head + "a\t0\t0.2\tSIL\na\t0.1\t0.25\tAA\n", "line 3: starts at 0.1 s"},
		"stress":         {head + "a\t0\t1\tAA1\n", `phone "AA1" is unknown`},
		"lower case":     {head + "a\t0\t1\tsil\n", `phone "sil" is unknown`},
		"scattered":      {head + "a\t0\t1\tAA\nb\t0\t1\tAA\na\t1\t2\tAA\n", `line 4: utterance "a" again`},
		"very long line": {head + strings.Repeat("x", 1<<17) + "\n", "after line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadPhoneLabels(strings.NewReader(c.text))
			switch {
			case c.fault == "" && err != nil:
				t.Fatal(err)
			case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
				t.Fatalf("error %v, want one with %q", err, c.fault)
			case name == "good":
				want := []PhoneSegment{{0, 0.1, Silence}, {0.1, 0.25, 1}}
				if !slices.Equal(got["a"], want) || len(got["b"]) != 1 || PhoneName(got["b"][0].Phone) != "ZH" {
					t.Errorf("read %v", got)
				}
			}
		})
	}
}

func TestPhoneNames(t *testing.T) {
	seen := map[string]bool{}
	for i := range PhoneCount {
		seen[PhoneName(uint8(i))] = true
	}
	if len(seen) != PhoneCount || PhoneCount != 40 || PhoneName(Silence) != "SIL" {
		t.Errorf("%d different phones of %d, the silent one is %s", len(seen), PhoneCount, PhoneName(Silence))
	}
}

func TestFindPhoneLabels(t *testing.T) {
	folder := t.TempDir()
	table := func(parts ...string) string {
		return writeBytes(t, filepath.Join(append([]string{folder}, parts...)...), []byte(phoneHeader+"\nu\t0\t1\tAA\n"))
	}
	makeDir(t, filepath.Join(folder, "human"))
	makeDir(t, filepath.Join(folder, "tts"))
	table("ann.tsv")
	table("human", "bob.tsv")
	table("human", "eve.tsv")
	table("tts", "eve.tsv")
	writeBytes(t, filepath.Join(folder, "tts", "bad.tsv"), []byte("nothing"))

	for speaker, part := range map[string]string{"ann": "", "bob": "human"} {
		l, err := FindPhoneLabels(folder, speaker)
		if err != nil || l == nil || l.Part != part || len(l.Utterances["u"]) != 1 {
			t.Errorf("%s: %+v, %v", speaker, l, err)
		}
	}
	if l, err := FindPhoneLabels(folder, "zoe"); l != nil || err != nil {
		t.Errorf("zoe has no labels, got %+v, %v", l, err)
	}
	for speaker, fault := range map[string]string{"eve": "both", "bad": "bad.tsv: line 1"} {
		if _, err := FindPhoneLabels(folder, speaker); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: error %v, want one with %q", speaker, err, fault)
		}
	}
	if _, err := FindPhoneLabels(filepath.Join(folder, "none"), "ann"); err == nil || !strings.Contains(err.Error(), "SPEAKER.tsv") {
		t.Errorf("no folder: %v", err)
	}
}

func TestFramePhones(t *testing.T) {
	cfg := features.DefaultConfig() // a frame per 10 ms
	segments := []PhoneSegment{{0, 0.02, Silence}, {0.02, 0.035, 1}, {0.05, 0.061, 2}}
	u := Utterance{Frames: features.Frames{NMels: cfg.NMels, LogMel: make([]float32, 8*cfg.NMels), F0: make([]float32, 8), LogEnergy: make([]float32, 8)}}
	want := []uint8{0, 0, 1, 1, NoPhone, 2, 2, NoPhone}
	if got := FramePhones(segments, cfg, u); !slices.Equal(got, want) {
		t.Errorf("phones %v, want %v", got, want)
	}
	u.Start = 2
	u.Frames = u.Frames.Slice(0, 5)
	if got := FramePhones(segments, cfg, u); !slices.Equal(got, want[2:7]) {
		t.Errorf("two frames trimmed off: phones %v, want %v", got, want[2:7])
	}
	if got := FramePhones(nil, cfg, u); slices.ContainsFunc(got, func(p uint8) bool { return p != NoPhone }) {
		t.Errorf("no labels: phones %v", got)
	}
}

func FuzzReadPhoneLabels(f *testing.F) {
	f.Add(phoneHeader + "\na\t0\t0.1\tSIL\na\t0.1\t0.25\tAA\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		labels, err := ReadPhoneLabels(strings.NewReader(text))
		if err != nil {
			return
		}
		for u, segments := range labels {
			for i, s := range segments {
				if u == "" || int(s.Phone) >= PhoneCount || !(s.End > s.Start) || s.Start < 0 || i > 0 && s.Start < segments[i-1].End-1e-5 {
					t.Fatalf("%q: %v", u, segments)
				}
			}
		}
	})
}
