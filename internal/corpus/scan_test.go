package corpus

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestScanFindsSpeakers(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, p := range []string{
		"bob/2.wav", "bob/1.FLAC", "bob/session 1/deep/3.Wave", "bob/notes.txt", "bob/.hidden.wav", "bob/.cache/x.wav",
		"ann/b.wav", "Élodie_2/x.flac", ".git/x.wav", "readme.txt",
	} {
		writeBytes(t, filepath.Join(root, filepath.FromSlash(p)), nil)
	}
	want := []Speaker{
		{Name: "ann", Files: []string{filepath.Join(root, "ann", "b.wav")}, About: "woman, US English"},
		{Name: "bob", Files: []string{filepath.Join(root, "bob", "1.FLAC"), filepath.Join(root, "bob", "2.wav"), filepath.Join(root, "bob", "session 1", "deep", "3.Wave")}},
		{Name: "Élodie_2", Files: []string{filepath.Join(root, "Élodie_2", "x.flac")}},
	}
	writeBytes(t, filepath.Join(root, "ann", "about.txt"), []byte("\ufeffwoman,\r\n US English\n\n"))
	for _, spec := range []string{root, root + string(filepath.Separator)} {
		got, err := Scan(spec)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Scan(%q) = %v, %v, want %v", spec, got, err, want)
		}
	}
	listed := "bob=" + filepath.Join(root, "bob") + ",ann=" + filepath.Join(root, "ann")
	got, err := Scan(listed)
	if err != nil || !reflect.DeepEqual(got, want[:2]) {
		t.Errorf("Scan(%q) = %v, %v, want %v", listed, got, err, want[:2])
	}
}

func TestScanRefusesAbout(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"long": strings.Repeat("long ", 30), "binary": "a\x00b", "not UTF-8": "\xff\xfe"} {
		root := t.TempDir()
		writeBytes(t, filepath.Join(root, "ann", "1.wav"), nil)
		writeBytes(t, filepath.Join(root, "ann", "about.txt"), []byte(text))
		if _, err := Scan(root); err == nil || !strings.Contains(err.Error(), "about.txt") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One recording, or a folder with nothing but recordings, is one speaker.
func TestScanOneSpeaker(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	mine := filepath.Join(root, "my voice")
	one, two := filepath.Join(mine, "a talk, 1.wav"), filepath.Join(mine, "b.mp3")
	writeBytes(t, one, nil)
	writeBytes(t, two, nil)
	for _, test := range []struct {
		spec string
		want []Speaker
	}{
		{one, []Speaker{{Name: "a_talk__1", Files: []string{one}}}},
		{mine, []Speaker{{Name: "my_voice", Files: []string{one, two}}}},
		{"me=" + one, []Speaker{{Name: "me", Files: []string{one}}}},
		{"me=" + one + ",you=" + two, []Speaker{{Name: "me", Files: []string{one}}, {Name: "you", Files: []string{two}}}},
	} {
		for _, spec := range []string{test.spec, AbsoluteSpec(test.spec)} {
			got, err := Scan(spec)
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("Scan(%q) = %v, %v, want %v", spec, got, err, test.want)
			}
		}
	}
}

func TestScanListedFolderWithComma(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	writeBytes(t, filepath.Join(root, "a, b,c", "1.wav"), nil)
	writeBytes(t, filepath.Join(root, "d=e", "1.wav"), nil)
	got, err := Scan("ann=" + filepath.Join(root, "a, b,c") + ",bob=" + filepath.Join(root, "d=e"))
	if err != nil || len(got) != 2 || got[0].Name != "ann" || got[1].Name != "bob" {
		t.Errorf("got %v, %v, want ann and bob", got, err)
	}
}

func TestAbsoluteSpec(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"talks=2026", "a", "b,c"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(here, name) }
	for spec, want := range map[string]string{
		"a":              in("a"),
		"talks=2026":     in("talks=2026"), // a folder, not a list
		"ann=a,bob=b,c":  "ann=" + in("a") + ",bob=" + in("b,c"),
		"ann=" + in("a"): "ann=" + in("a"),
		"":               "",
		"neither-nor":    "neither-nor",
	} {
		if got := AbsoluteSpec(spec); got != want {
			t.Errorf("%q: %q, want %q", spec, got, want)
		}
	}
}

func TestScanFollowsLinks(t *testing.T) {
	t.Parallel()
	root, elsewhere := t.TempDir(), t.TempDir()
	file := writeBytes(t, filepath.Join(elsewhere, "voice", "1.wav"), nil)
	makeDir(t, filepath.Join(root, "bob"))
	for name, target := range map[string]string{
		"ann":          filepath.Join(elsewhere, "voice"),
		"bob/one.wav":  file,
		"bob/loop":     filepath.Join(root, "bob"),
		"bob/gone.wav": filepath.Join(elsewhere, "gone.wav"),
		"bob/gone.txt": filepath.Join(elsewhere, "gone.txt"),
	} {
		if err := os.Symlink(target, filepath.Join(root, filepath.FromSlash(name))); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	got, err := Scan(root)
	want := []Speaker{
		{Name: "ann", Files: []string{filepath.Join(root, "ann", "1.wav")}},
		{Name: "bob", Files: []string{filepath.Join(root, "bob", "gone.wav"), filepath.Join(root, "bob", "one.wav")}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if err := os.Symlink(filepath.Join(elsewhere, "nobody"), filepath.Join(root, "carl")); err != nil {
		t.Fatal(err)
	}
	if _, err := Scan(root); err == nil || !strings.Contains(err.Error(), "repair or remove the link") {
		t.Errorf("a broken link to a speaker's folder: %v", err)
	}
}

func TestScanRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		files []string // ending in / for a folder
		spec  string   // with ROOT for the folder; "" for the folder itself
		want  []string
	}{
		{"nothing", nil, " ", []string{"no folder given"}},
		{"missing folder", nil, "ROOT/none", []string{"none", "folder per speaker"}},
		{"tilde", nil, "~nobody/x", []string{"write the whole path"}},
		{"a file", []string{"a.txt"}, "ROOT/a.txt", []string{"is a file", "no recording"}},
		{"empty folder", nil, "", []string{"is empty", "ann"}},
		{"only hidden", []string{".a/1.wav", ".b.wav"}, "", []string{"is empty"}},
		{"loose file", []string{"ann/1.wav", "test.wav"}, "", []string{"1 recording beside", "test.wav", "move"}},
		{"no recordings", []string{"ann/1.wav", "bob/"}, "", []string{"bob: no recordings", "remove the folder"}},
		{"space in a name", []string{"ann lee/1.wav"}, "", []string{`"ann lee"`, `' '`, "ann_lee="}},
		{"leading hyphen", []string{"-ann/1.wav"}, "", []string{"starts with", "ann="}},
		{"long name", []string{strings.Repeat("x", 65) + "/1.wav"}, "", []string{"longer than 64"}},
		{"no name", []string{"a/1.wav"}, "=ROOT/a", []string{"is empty"}},
		{"piece without name", []string{"a/1.wav"}, "ann=ROOT/a,b", []string{`"b"`, "NAME=DIR"}},
		{"no folder", []string{"a/1.wav"}, "ann=ROOT/a,bob=", []string{"names no folder"}},
		{"listed folder missing", []string{"a/1.wav"}, "ann=ROOT/a,bob=ROOT/b", []string{"bob", "check the folder's name"}},
		{"listed file", []string{"a/1.txt"}, "ann=ROOT/a/1.txt", []string{"is a file", "no recording"}},
		{"same name", []string{"a/1.wav", "b/1.wav"}, "ann=ROOT/a,ann=ROOT/b", []string{"two speakers are called", "name of its own"}},
		{"same but for capitals", []string{"a/1.wav", "b/1.wav"}, "ann=ROOT/a,ANN=ROOT/b", []string{"differ only in capitals"}},
		{"same folder", []string{"a/1.wav"}, "ann=ROOT/a,bob=ROOT/../ROOTNAME/a", []string{"same folder"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for _, f := range test.files {
				path := filepath.Join(root, filepath.FromSlash(f))
				if strings.HasSuffix(f, "/") {
					makeDir(t, path)
				} else {
					writeBytes(t, path, nil)
				}
			}
			spec := strings.NewReplacer("ROOTNAME", filepath.Base(root), "ROOT", root).Replace(test.spec)
			if spec == "" {
				spec = root
			}
			got, err := Scan(spec)
			if err == nil {
				t.Fatalf("got %v, want an error", got)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

// What an ffmpeg reads is a recording where there is one, and needs one where there is none.
func TestScanWithAndWithoutFFmpeg(t *testing.T) {
	root, tools := t.TempDir(), t.TempDir()
	for _, f := range []string{"1.m4a", "2.M4A", "3.opus"} {
		writeBytes(t, filepath.Join(root, "ann", f), nil)
	}
	t.Setenv("PATH", tools)
	for dir, want := range map[string]string{root: "ann: no recordings", filepath.Join(root, "ann"): "no speaker folders"} {
		_, err := Scan(dir)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "install ffmpeg, so that what is there is read (2 .m4a, 1 .opus)") {
			t.Errorf("%s: error %v", dir, err)
		}
	}
	if runtime.GOOS == "windows" {
		t.Skip("programs are found by their endings")
	}
	if err := os.WriteFile(filepath.Join(tools, "ffmpeg"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Scan(root); err != nil || len(got) != 1 || len(got[0].Files) != 3 {
		t.Errorf("%v, error %v", got, err)
	}
}

// MP3 and Ogg Vorbis need no ffmpeg.
func TestScanTakesCodedRecordings(t *testing.T) {
	root := t.TempDir()
	for _, f := range []string{"1.mp3", "2.OGG", "3.oga", "4.flac", "5.txt"} {
		writeBytes(t, filepath.Join(root, "ann", f), nil)
	}
	t.Setenv("PATH", "")
	if got, err := Scan(root); err != nil || len(got) != 1 || len(got[0].Files) != 4 {
		t.Errorf("%v, error %v", got, err)
	}
}

func TestScanCapitalsInFolders(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	writeBytes(t, filepath.Join(root, "Ann", "1.wav"), nil)
	if _, err := os.Stat(filepath.Join(root, "ann")); err == nil || runtime.GOOS == "windows" {
		t.Skip("the file system does not tell capitals apart")
	}
	writeBytes(t, filepath.Join(root, "ann", "1.wav"), nil)
	if _, err := Scan(root); err == nil || !strings.Contains(err.Error(), "differ only in capitals") {
		t.Errorf("got %v", err)
	}
}

func TestCleanNameIsAccepted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "...", "a b", "a/b", "-x-", "\xff\xfe", "日本 語", strings.Repeat("é", 99), "a=b,c"} {
		if clean := cleanName(name); nameFault(clean) != "" {
			t.Errorf("cleanName(%q) = %q, which %s", name, clean, nameFault(clean))
		}
	}
}
