package corpus

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/starvc/vc/audio"
)

// maxNameRunes bounds a speaker's name: it becomes part of file names.
const maxNameRunes = 64

// Scan finds the speakers that spec names, in order of their names, each with its recordings (WAV, FLAC, MP3, Ogg
// Vorbis and, where there is an ffmpeg, whatever [audio.IsRecording] knows, by the ending of the file name) in order of their paths, and with what about.txt in the speaker's folder says of the voice. The
// order does not depend on the file system.
//
// spec is a folder that holds a folder per speaker, or a list "ann=dirA,bob=dirB" (a folder name may contain commas). In place of a
// folder may be one recording; and a folder with nothing but recordings, or a recording by itself, is one speaker of its name.
// A speaker's recordings may lie in folders inside the speaker's folder. Symbolic links are followed, names that start
// with a dot are skipped. Scan reads no audio.
//
// Errors name the remedy: nothing there, recordings without speaker folders, a speaker without recordings, a name
// twice (capitals do not tell two speakers apart), a name with other characters than letters, digits, dot, underscore
// and hyphen.
func Scan(spec string) ([]Speaker, error) {
	if strings.TrimSpace(spec) == "" {
		return nil, fmt.Errorf("speakers: no folder given; give a folder that holds a folder per speaker, or ann=DIR,bob=DIR")
	}
	var folders []folder
	info, err := os.Stat(spec)
	switch {
	case err == nil && info.IsDir():
		folders, err = foldersIn(spec)
	case strings.Contains(spec, "="):
		folders, err = foldersListed(spec)
	case err == nil:
		folders, err = []folder{{cleanName(strings.TrimSuffix(filepath.Base(spec), filepath.Ext(spec))), spec}}, checkRecording(spec)
	default:
		err = fmt.Errorf("speakers: %w; give a folder that holds a folder per speaker, or ann=DIR,bob=DIR%s", err, tildeHint(spec))
	}
	if err != nil {
		return nil, err
	}
	if err := checkNames(folders); err != nil {
		return nil, err
	}
	speakers := make([]Speaker, len(folders))
	for i, f := range folders {
		found, err := findAudio(f.dir)
		if err != nil {
			return nil, fmt.Errorf("speakers: %s: %w", f.name, err)
		}
		if len(found.files) == 0 {
			return nil, fmt.Errorf("speakers: %s: no recordings (%s) in %q; %s", f.name, audio.ReadHere, f.dir, found.remedy())
		}
		about := ""
		if isDir(f.dir) {
			if about, err = readAbout(f.dir); err != nil {
				return nil, fmt.Errorf("speakers: %s: %w", f.name, err)
			}
		}
		speakers[i] = Speaker{Name: f.name, Files: found.files, About: about}
	}
	return speakers, nil
}

// aboutFile is a text file in a speaker's folder that says in a line whose voice it is, such as "woman, US English".
const (
	aboutFile     = "about.txt"
	maxAboutRunes = 100
)

// readAbout returns the description in a speaker's folder as one line, or nothing where there is none.
func readAbout(dir string) (string, error) {
	path := filepath.Join(dir, aboutFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	line := strings.Join(strings.Fields(strings.TrimPrefix(string(text), "\ufeff")), " ")
	if !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl) {
		return "", fmt.Errorf("%s is not plain text in UTF-8; write a line about the voice, or remove it", path)
	}
	if utf8.RuneCountInString(line) > maxAboutRunes {
		return "", fmt.Errorf("%s is longer than %d characters; a line about the voice is enough", path, maxAboutRunes)
	}
	return line, nil
}

type folder struct{ name, dir string }

// AbsoluteSpec is a spec that Scan takes, with whole paths, so that it means the same in any working folder. A spec that
// Scan refuses comes back as it is.
func AbsoluteSpec(spec string) string {
	if isThere(spec) {
		if whole, err := filepath.Abs(spec); err == nil {
			return whole
		}
		return spec
	}
	folders, err := foldersListed(spec)
	if err != nil {
		return spec
	}
	parts := make([]string, len(folders))
	for i, f := range folders {
		whole, err := filepath.Abs(f.dir)
		if err != nil {
			return spec
		}
		parts[i] = f.name + "=" + whole
	}
	return strings.Join(parts, ",")
}

// foldersIn lists the speaker folders of root.
func foldersIn(root string) ([]folder, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("speakers: %w", err)
	}
	var folders []folder
	var loose []string
	found := audioFiles{foreign: map[string]int{}}
	for _, e := range entries {
		if hidden(e.Name()) {
			continue
		}
		path := filepath.Join(root, e.Name())
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			folders = append(folders, folder{e.Name(), path})
		case isAudio(e.Name()):
			loose = append(loose, e.Name())
		case err != nil:
			return nil, fmt.Errorf("speakers: %w; repair or remove the link", err)
		default:
			found.countForeign(e.Name())
		}
	}
	layout := fmt.Sprintf("lay it out with a folder per speaker, named after the speaker, such as %s and %s, or give ann=DIR,bob=DIR",
		filepath.Join(root, "ann", "1.wav"), filepath.Join(root, "bob", "1.wav"))
	switch {
	case len(folders) == 0 && len(loose) > 0: // one speaker's
		whole, err := filepath.Abs(root)
		if err != nil {
			return nil, fmt.Errorf("speakers: %w", err)
		}
		return []folder{{cleanName(filepath.Base(whole)), root}}, nil
	case len(folders) == 0 && len(found.foreign) > 0:
		return nil, fmt.Errorf("speakers: %q holds no speaker folders and no %s; %s; %s", root, audio.ReadHere, found.remedy(), layout)
	case len(folders) == 0:
		return nil, fmt.Errorf("speakers: %q is empty; %s", root, layout)
	case len(loose) > 0:
		return nil, fmt.Errorf("speakers: %q holds %s beside the speaker folders (%s); move them into a speaker's folder or out of the way",
			root, count(len(loose), "recording"), someOf(loose, 3))
	}
	return folders, nil
}

// foldersListed reads "ann=dirA,bob=dirB". A piece without "=" belongs to the folder before it, when that exists.
func foldersListed(spec string) ([]folder, error) {
	var folders []folder
	for piece := range strings.SplitSeq(spec, ",") {
		name, dir, named := strings.Cut(piece, "=")
		if !named {
			if len(folders) > 0 {
				last := &folders[len(folders)-1]
				if joined := last.dir + "," + piece; isThere(joined) {
					last.dir = joined
					continue
				}
				if !isThere(last.dir) { // the name may have a further comma to come
					last.dir += "," + piece
					continue
				}
			}
			return nil, fmt.Errorf("speakers: %q in %q names no speaker; write NAME=DIR, such as ann=%s", piece, spec, cmp.Or(piece, "DIR"))
		}
		folders = append(folders, folder{strings.TrimSpace(name), dir})
	}
	for i, f := range folders {
		if f.dir == "" {
			return nil, fmt.Errorf("speakers: %q names no folder; write NAME=DIR", f.name+"=")
		}
		info, err := os.Stat(f.dir)
		if err != nil {
			return nil, fmt.Errorf("speakers: %s: %w; check the folder's name%s", f.name, err, tildeHint(f.dir))
		}
		if !info.IsDir() {
			if err := checkRecording(f.dir); err != nil {
				return nil, err
			}
		}
		for _, other := range folders[:i] {
			if o, err := os.Stat(other.dir); err == nil && os.SameFile(info, o) {
				return nil, fmt.Errorf("speakers: %s and %s have the same folder %q; give each speaker a folder of its own", other.name, f.name, f.dir)
			}
		}
	}
	return folders, nil
}

// checkNames refuses bad names and names that occur twice, and sorts by name.
func checkNames(folders []folder) error {
	slices.SortFunc(folders, func(a, b folder) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.dir, b.dir)) })
	seen := map[string]folder{}
	for _, f := range folders {
		if why := nameFault(f.name); why != "" {
			return fmt.Errorf("speakers: name %q (folder %q) %s; rename it, or give another name with %s=%s", f.name, f.dir, why, cleanName(f.name), f.dir)
		}
		// Folding twice also joins letters with several lower-case forms.
		key := strings.ToLower(strings.ToUpper(f.name))
		if other, ok := seen[key]; ok {
			if other.name == f.name {
				return fmt.Errorf("speakers: two speakers are called %q (folders %q and %q); give each a name of its own", f.name, other.dir, f.dir)
			}
			return fmt.Errorf("speakers: %q and %q (folders %q and %q) differ only in capitals; rename one, or put all recordings of one speaker into one folder",
				other.name, f.name, other.dir, f.dir)
		}
		seen[key] = f
	}
	return nil
}

// nameFault says what is wrong with a speaker's name, or nothing.
func nameFault(name string) string {
	switch {
	case name == "":
		return "is empty"
	case !utf8.ValidString(name):
		return "is not valid UTF-8"
	case utf8.RuneCountInString(name) > maxNameRunes:
		return fmt.Sprintf("is longer than %d characters", maxNameRunes)
	case name[0] == '-' || name[0] == '.':
		return fmt.Sprintf("starts with %q", name[0])
	}
	for _, r := range name {
		if !nameRune(r) {
			return fmt.Sprintf("contains %q (allowed are letters, digits, dot, underscore and hyphen)", r)
		}
	}
	return ""
}

func nameRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || strings.ContainsRune("._-", r)
}

// cleanName suggests a name that nameFault accepts.
func cleanName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !nameRune(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	clean = strings.Trim(clean, "._-")
	if runes := []rune(clean); len(runes) > maxNameRunes {
		clean = string(runes[:maxNameRunes])
	}
	return cmp.Or(clean, "speaker")
}

// audioFiles is what a folder and the folders inside it hold.
type audioFiles struct {
	files   []string
	foreign map[string]int // recordings in formats that are not read, by ending
}

// findAudio collects the recordings under dir. A folder that links lead to several times is read once.
func findAudio(dir string) (audioFiles, error) {
	found := audioFiles{foreign: map[string]int{}}
	err := found.walk(dir, map[string]bool{})
	slices.Sort(found.files)
	return found, err
}

func (a *audioFiles) walk(dir string, visited map[string]bool) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() { // a speaker's one recording
		a.files = append(a.files, dir)
		return nil
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("%w; repair or remove the link", err)
	}
	if real, err = filepath.Abs(real); err != nil {
		return err
	}
	if visited[real] {
		return nil
	}
	visited[real] = true
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%w; make it readable or move it out of the way", err)
	}
	for _, e := range entries {
		if hidden(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			if err := a.walk(path, visited); err != nil {
				return err
			}
		case isAudio(e.Name()): // a broken link too: Prepare names it as unreadable
			a.files = append(a.files, path)
		default:
			a.countForeign(e.Name())
		}
	}
	return nil
}

func (a *audioFiles) countForeign(name string) {
	ext := strings.ToLower(filepath.Ext(name))
	if recording, _ := audio.IsRecording(name); recording || ext == ".raw" {
		a.foreign[ext]++
	}
}

func (a *audioFiles) remedy() string {
	if len(a.foreign) == 0 {
		return "put some there, remove the folder, or hide it with a dot before its name"
	}
	var parts []string
	for _, ext := range slices.Sorted(maps.Keys(a.foreign)) {
		parts = append(parts, fmt.Sprintf("%d %s", a.foreign[ext], ext))
	}
	return fmt.Sprintf("install ffmpeg, so that what is there is read (%s), or convert it, for example with: ffmpeg -i in%s out.wav", strings.Join(parts, ", "), slices.Sorted(maps.Keys(a.foreign))[0])
}

// isAudio reports whether a file is read as a recording.
func isAudio(name string) bool {
	recording, own := audio.IsRecording(name)
	return own || recording && audio.HasFFmpeg()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// checkRecording refuses a file that is no recording by its name.
func checkRecording(path string) error {
	recording, own := audio.IsRecording(path)
	switch {
	case own, recording && audio.HasFFmpeg():
		return nil
	case recording:
		return fmt.Errorf("speakers: %q: install ffmpeg, so that such a recording is read, or convert it, for example with: ffmpeg -i in%s out.wav", path, strings.ToLower(filepath.Ext(path)))
	}
	return fmt.Errorf("speakers: %q is a file, but no recording by its name (%s); give a recording, a folder of one speaker's, or a folder that holds a folder per speaker", path, audio.ReadHere)
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

func tildeHint(path string) string {
	if strings.HasPrefix(path, "~") {
		return " (the shell left ~ as it is: write the whole path)"
	}
	return ""
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// someOf lists the first names and counts the rest.
func someOf(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
