package corpus

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/starvc/vc/features"
)

// phoneNames are the phones of a labels file: the vowels and consonants of American English in ARPAbet without stress,
// and SIL for silence. Their order is that of a phone network's outputs, so it may only grow at the end.
var phoneNames = [...]string{
	"SIL", "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH",
	"K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
}

const (
	// PhoneCount is the number of phones, silence among them.
	PhoneCount = len(phoneNames)
	// Silence is the index of the phone SIL.
	Silence uint8 = 0
	// NoPhone marks a frame that no label covers.
	NoPhone uint8 = 255
)

// PhoneName is the ARPAbet name of a phone, an index below PhoneCount.
func PhoneName(phone uint8) string { return phoneNames[phone] }

// PhoneSegment is one phone of an utterance, from Start to End in seconds from the beginning of the file.
type PhoneSegment struct {
	Start, End float64
	Phone      uint8
}

// PhoneLabels are the phones of a speaker's utterances.
type PhoneLabels struct {
	Path string // the file they come from
	Part string // the folder between the labels folder and the file, "" if there is none
	// Utterances holds the phones in order of time by utterance, the recording's file name without its extension.
	Utterances map[string][]PhoneSegment
}

// FindPhoneLabels reads the labels of a speaker from a labels folder: SPEAKER.tsv in it or in a folder inside it. It
// returns nil for a speaker who has none. Two files for one speaker are an error.
func FindPhoneLabels(folder, speaker string) (*PhoneLabels, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("phone labels: %w; give a folder that holds a file SPEAKER.tsv per speaker", err)
	}
	parts := []string{""}
	for _, e := range entries {
		if !hidden(e.Name()) && isDir(filepath.Join(folder, e.Name())) {
			parts = append(parts, e.Name())
		}
	}
	var found *PhoneLabels
	for _, part := range parts {
		path := filepath.Join(folder, part, speaker+".tsv")
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("phone labels: %w", err)
		}
		if found != nil {
			f.Close()
			return nil, fmt.Errorf("phone labels: both %s and %s are there for speaker %s; remove one", found.Path, path, speaker)
		}
		utterances, err := ReadPhoneLabels(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("phone labels: %s: %w", path, err)
		}
		found = &PhoneLabels{Path: path, Part: part, Utterances: utterances}
	}
	return found, nil
}

const phoneHeader = "utt\tstart_s\tend_s\tphone"

// ReadPhoneLabels reads a table with the columns utt, start_s, end_s and phone, separated by tabs, with these names in the
// first line. The lines of an utterance follow each other in order of time and do not overlap; time between them has no
// phone. Anything else is an error that names the line.
func ReadPhoneLabels(r io.Reader) (map[string][]PhoneSegment, error) {
	scanner := bufio.NewScanner(r)
	utterances := map[string][]PhoneSegment{}
	current, line := "", 0
	for scanner.Scan() {
		line++
		text := strings.TrimSuffix(scanner.Text(), "\r")
		if line == 1 {
			if text != phoneHeader {
				return nil, fmt.Errorf("line 1: %q, want the column names utt, start_s, end_s, phone, separated by tabs", text)
			}
			continue
		}
		utterance, segment, err := parsePhone(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		have := utterances[utterance]
		switch {
		case utterance != current && len(have) > 0:
			return nil, fmt.Errorf("line %d: utterance %q again, want all its lines together", line, utterance)
		case len(have) > 0 && segment.Start < have[len(have)-1].End-1e-6:
			return nil, fmt.Errorf("line %d: starts at %g s, before the end of the phone before it, %g s", line, segment.Start, have[len(have)-1].End)
		}
		current = utterance
		utterances[utterance] = append(have, segment)
	}
	switch err := scanner.Err(); {
	case err != nil:
		return nil, fmt.Errorf("after line %d: %w", line, err)
	case line == 0:
		return nil, errors.New("empty, want the column names utt, start_s, end_s, phone in the first line")
	case len(utterances) == 0:
		return nil, errors.New("no phones")
	}
	return utterances, nil
}

func parsePhone(text string) (utterance string, segment PhoneSegment, err error) {
	fields := strings.Split(text, "\t")
	if len(fields) != 4 {
		return "", segment, fmt.Errorf("%d columns, want 4: utt, start_s, end_s, phone", len(fields))
	}
	if fields[0] == "" {
		return "", segment, errors.New("no utterance")
	}
	for i, to := range []*float64{&segment.Start, &segment.End} {
		v, err := strconv.ParseFloat(fields[1+i], 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			return "", segment, fmt.Errorf("time %q, want seconds", fields[1+i])
		}
		*to = v
	}
	if segment.End <= segment.Start {
		return "", segment, fmt.Errorf("ends at %g s, not after its start at %g s", segment.End, segment.Start)
	}
	phone := slices.Index(phoneNames[:], fields[3])
	if phone < 0 {
		return "", segment, fmt.Errorf("phone %q is unknown, known are %s", fields[3], strings.Join(phoneNames[:], " "))
	}
	segment.Phone = uint8(phone)
	return fields[0], segment, nil
}

// UtteranceName is how labels name a recording: its file name without the extension.
func UtteranceName(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// FramePhones is the phone at the centre of each frame of an utterance, NoPhone where none is. Frame t of u is frame
// u.Start+t of the file, centred on sample (u.Start+t)*Hop.
func FramePhones(segments []PhoneSegment, cfg features.Config, u Utterance) []uint8 {
	phones := make([]uint8, u.Frames.Len())
	perFrame := float64(cfg.Hop) / float64(cfg.SampleRate)
	for t := range phones {
		at := float64(u.Start+t) * perFrame
		i, exact := slices.BinarySearchFunc(segments, at, func(s PhoneSegment, at float64) int { return cmp.Compare(s.Start, at) })
		if !exact {
			i-- // the last that starts before
		}
		phones[t] = NoPhone
		if i >= 0 && at < segments[i].End {
			phones[t] = segments[i].Phone
		}
	}
	return phones
}
