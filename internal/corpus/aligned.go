package corpus

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// AlignedFile lies beside the speakers' folders and says which recordings say the same words at the same times, frame for frame: a
// table with tabs and the columns group, speaker, utt and, if need be, use. Recordings of one group are as long as each other. utt
// is a file's name without its ending. use is "source" for a recording that is only heard, such as a synthetic twin of a person's
// recording, "target" for one that is only answered with, and else empty.
const AlignedFile = "aligned.tsv"

// AlignedUtt is a recording of a group.
type AlignedUtt struct {
	Speaker, Utt   string
	Source, Target bool // may be heard, may be the answer
}

// ReadAligned reads the AlignedFile of a folder of speakers, as groups in the order of the file; nil where spec is not a folder or
// has none. It is an error if the table cannot be read.
func ReadAligned(spec string) ([][]AlignedUtt, error) {
	if !isDir(spec) {
		return nil, nil
	}
	path := filepath.Join(spec, AlignedFile)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	groups, err := parseAligned(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return groups, nil
}

func parseAligned(r io.Reader) ([][]AlignedUtt, error) {
	table := csv.NewReader(r)
	table.Comma, table.LazyQuotes, table.FieldsPerRecord = '\t', true, -1
	head, err := table.Read()
	if err != nil {
		return nil, fmt.Errorf("no line of column names: %w", err)
	}
	column := map[string]int{"group": -1, "speaker": -1, "utt": -1, "use": -1}
	for i, name := range head {
		column[strings.TrimSpace(name)] = i
	}
	for _, name := range []string{"group", "speaker", "utt"} {
		if column[name] < 0 {
			return nil, fmt.Errorf("no column %q; the first line names the columns group, speaker, utt and use", name)
		}
	}
	var groups [][]AlignedUtt
	place := map[string]int{}
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			return groups, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := table.FieldPos(0)
		cell := func(name string) string {
			if i := column[name]; i >= 0 && i < len(row) {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		u := AlignedUtt{Speaker: cell("speaker"), Utt: cell("utt")}
		group := cell("group")
		if group == "" || u.Speaker == "" || u.Utt == "" {
			return nil, fmt.Errorf("line %d: group, speaker or utt is empty", line)
		}
		switch use := cell("use"); use {
		case "":
			u.Source, u.Target = true, true
		case "source":
			u.Source = true
		case "target":
			u.Target = true
		default:
			return nil, fmt.Errorf("line %d: use is %q, want source, target or nothing", line, use)
		}
		at, known := place[group]
		if !known {
			at = len(groups)
			place[group] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], u)
	}
}

// pair is two training utterances that say the same at the same times, as indices into Set.Train.
type pair struct{ source, target int }

// Align makes pairs of the recordings of s that groups name: each that may be a source with each that may be a target, of another
// speaker. It returns how many groups give a pair; what is held out, was left out, or is not there gives none.
func (s *Set) Align(groups [][]AlignedUtt) int {
	byName := map[[2]string]int{}
	for i, u := range s.Train {
		base := filepath.Base(u.Path)
		byName[[2]string{s.Speakers[u.Speaker].Name, strings.TrimSuffix(base, filepath.Ext(base))}] = i
	}
	s.pairs = nil
	used := 0
	for _, group := range groups {
		before := len(s.pairs)
		for _, a := range group {
			source, ok := byName[[2]string{a.Speaker, a.Utt}]
			if !ok || !a.Source {
				continue
			}
			for _, b := range group {
				target, ok := byName[[2]string{b.Speaker, b.Utt}]
				if ok && b.Target && s.Train[source].Speaker != s.Train[target].Speaker {
					s.pairs = append(s.pairs, pair{source, target})
				}
			}
		}
		if len(s.pairs) > before {
			used++
		}
	}
	return used
}

// Pairs is how many pairs of recordings Align has made.
func (s *Set) Pairs() int { return len(s.pairs) }
