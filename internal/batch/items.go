package batch

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Item is one recording of a corpus.
type Item struct {
	Key    string // its name in the corpus: a path inside the folder, a path as the list has it, an utterance's name
	Path   string // of the recording
	Voice  string // that the list names for it, "" for none
	Inside string // where its result goes in the output folder, without the ending
}

// lines calls take with each line that is neither empty nor a comment, without the spaces around it. Errors begin with the path and the number of the line.
func lines(path string, take func(line string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	n := 0
	for s.Scan() {
		n++
		line := strings.TrimSpace(strings.TrimPrefix(s.Text(), "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		if err := take(line); err != nil {
			return fmt.Errorf("%s: line %d: %w", path, n, err)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%s: after line %d: %w", path, n, err)
	}
	return nil
}

// ReadList reads a list with a recording in each line, and after a tab, if wanted, a voice. Paths hold from the current folder. Results keep
// the form of the paths, where all are relative and stay inside the current folder; else the folder that all share is left out.
func ReadList(path string) ([]Item, error) {
	var items []Item
	err := lines(path, func(line string) error {
		if strings.HasSuffix(line, "|") {
			return fmt.Errorf("%q is a command: this list takes files alone", line)
		}
		name, voice, _ := strings.Cut(line, "\t")
		if strings.Contains(voice, "\t") {
			return errors.New("more than two columns: want a recording and, after a tab, a voice")
		}
		items = append(items, Item{Key: name, Path: name, Voice: strings.TrimSpace(voice)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, layOut(items)
}

// ReadSCP reads a wav.scp of Kaldi: in each line an utterance's name and, after a space, its recording. Lines that have a command make the sound
// are refused. Results are called as the utterances.
func ReadSCP(path string) ([]Item, error) {
	var items []Item
	err := lines(path, func(line string) error {
		at := strings.IndexAny(line, " \t")
		if at < 0 {
			return fmt.Errorf("%q: want an utterance's name, a space, and its recording", line)
		}
		key, file := line[:at], strings.TrimSpace(line[at:])
		switch {
		case strings.HasSuffix(file, "|") || strings.HasPrefix(file, "|"):
			return fmt.Errorf("the sound of %s comes from a command, %q: vc runs no commands that a list names, since a list may come from anywhere; "+
				"have them write files first, and list these", key, file)
		case strings.Contains(file, ".ark:"):
			return fmt.Errorf("the sound of %s lies inside an archive, %s: write it to a file first, for instance with Kaldi's wav-copy", key, file)
		case !filepath.IsLocal(key):
			return fmt.Errorf("the result of %q would lie outside the output folder: give the utterance another name", key)
		}
		items = append(items, Item{Key: key, Path: file, Inside: filepath.Clean(key)})
		return nil
	})
	return items, err
}

// ReadVoices adds voices from a file that has a key and, after a tab or a space, a voice in each line, as in Kaldi's utt2spk. A key that no item has is an
// error. Keys with spaces want a tab.
func ReadVoices(path string, items []Item) error {
	at := map[string]int{}
	for i, item := range items {
		at[item.Key] = i
	}
	return lines(path, func(line string) error {
		key, voice, ok := strings.Cut(line, "\t")
		if !ok {
			key, voice, ok = strings.Cut(line, " ")
		}
		voice = strings.TrimSpace(voice)
		if !ok || voice == "" {
			return fmt.Errorf("%q: want a recording as the list names it, a tab, and a voice", line)
		}
		i, ok := at[key]
		if !ok {
			return fmt.Errorf("there is no recording %q in the corpus", key)
		}
		items[i].Voice = voice
		return nil
	})
}

// layOut finds the places of the results of paths.
func layOut(items []Item) error {
	local := true
	for _, item := range items {
		local = local && filepath.IsLocal(item.Path)
	}
	shared := ""
	for i := range items {
		inside := filepath.Clean(items[i].Path)
		if !local {
			var err error
			if inside, err = filepath.Abs(inside); err != nil {
				return err
			}
			if i == 0 {
				shared = filepath.Dir(inside)
			}
			for shared != filepath.Dir(shared) && !strings.HasPrefix(inside, shared+string(filepath.Separator)) {
				shared = filepath.Dir(shared)
			}
		}
		items[i].Inside = inside
	}
	for i := range items {
		if !local {
			inside, err := filepath.Rel(shared, items[i].Inside)
			if err != nil {
				return fmt.Errorf("%s and %s share no folder: make a list for each disk", items[0].Path, items[i].Path)
			}
			items[i].Inside = inside
		}
		items[i].Inside = WithoutEnding(items[i].Inside)
	}
	return nil
}

// WithoutEnding takes the ending off a name.
func WithoutEnding(name string) string { return strings.TrimSuffix(name, filepath.Ext(name)) }

// Check refuses what would not work in a manifest, and two items of one key.
func Check(items []Item) error {
	seen := make(map[string]bool, len(items))
	for _, item := range items {
		switch {
		case strings.ContainsAny(item.Key+item.Path+item.Inside, "\t\n\r"):
			return fmt.Errorf("%q has a tab or a new line in its name, which a manifest cannot hold: rename it", item.Key)
		case seen[item.Key]:
			return fmt.Errorf("%q is listed twice", item.Key)
		}
		seen[item.Key] = true
	}
	return nil
}
