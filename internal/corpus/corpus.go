// Package corpus turns folders of recordings into training batches.
//
// [Scan] finds the speakers and their files. [Prepare] reads every file once: it looks for faults (the lint), resamples,
// extracts features, keeps them on disk under the hash of the file's content, sets some utterances of each speaker
// aside for validation, and measures each speaker's pitch. A [Batcher] cuts the result into batches. A batch is a
// function of the seed and the step number alone, so a run that was interrupted sees, when it goes on, exactly what it
// would have seen; nothing about the batches has to be saved.
//
// The features, about 32 KB per second of audio and 115 MB per hour, lie in files of the cache folder that are mapped into
// memory: the system reads the parts that batches are cut from and drops them again when it needs the memory. Without a
// cache folder they stay in memory.
package corpus

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/starvc/vc/features"
)

// Speaker is a voice as found on disk: a name, the recordings in order of their paths, and what the folder's about.txt
// says of the voice, if there is one.
type Speaker struct {
	Name  string
	Files []string
	About string
}

// SpeakerInfo describes a speaker of a prepared set.
type SpeakerInfo struct {
	Name    string
	About   string  // a line for people, may be empty
	Seconds float64 // of usable speech, training and held-out together, after trimming
	// LogF0Mean and LogF0Std are the mean and the standard deviation of ln(F0 in Hz) over the voiced frames of the
	// training utterances, without the tracker's outliers. LogF0Std is at least 0.02, so that it can divide. A
	// speaker without voiced speech gets the geometric middle of the F0 range and 0.2, and a problem in the report.
	LogF0Mean, LogF0Std float64
}

// Utterance is the features of one recording. Nothing may write to Frames: it may be a part of a file that is mapped into
// memory for reading, where the attempt kills the program. The mapping stays until the program ends.
type Utterance struct {
	Speaker int    // index into Set.Speakers
	Path    string // as found by Scan
	Start   int    // frames that trimming took off the beginning: Frames starts at this frame of the file
	Hash    [sha256.Size]byte
	Frames  features.Frames

	part stretch // what is known of Frames, zero in utterances that Prepare did not make
}

// sum is frameHash of the frames.
func (u Utterance) sum() digest {
	if u.part.Sum != (digest{}) {
		return u.part.Sum
	}
	return frameHash(u.Frames)
}

// Set is what training reads. Utterances are in order of speaker, then of path.
type Set struct {
	Features features.Config
	Speakers []SpeakerInfo
	Train    []Utterance
	Valid    []Utterance // held out; a speaker with fewer than three recordings has none here

	pairs  []pair            // see Align
	copies []features.Frames // of Train, see Disturb; nil without, and an empty one where there is none
}

// Names lists the speakers in order of their indices.
func (s *Set) Names() []string {
	names := make([]string, len(s.Speakers))
	for i, sp := range s.Speakers {
		names[i] = sp.Name
	}
	return names
}

// Fingerprint is equal for two sets exactly when the same batches come from them: it covers the speakers' names, the
// feature configuration, all features, which of them are pairs, and disturbed copies. A run that is resumed compares it, since bit-identical losses need the same
// data. Paths do not count, only their order.
func (s *Set) Fingerprint() string {
	h := sha256.New()
	word := func(n int) { _ = binary.Write(h, binary.LittleEndian, int64(n)) }
	text := func(t string) { word(len(t)); h.Write([]byte(t)) }
	text(string(configJSON(s.Features)))
	word(len(s.Speakers))
	for _, sp := range s.Speakers {
		text(sp.Name)
	}
	for _, part := range [][]Utterance{s.Train, s.Valid} {
		word(len(part))
		for _, u := range part {
			word(u.Speaker)
			sum := u.sum()
			h.Write(sum[:])
		}
	}
	for _, p := range s.pairs {
		word(p.source)
		word(p.target)
	}
	for _, c := range s.copies {
		sum := frameHash(c)
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func sortUtterances(us []Utterance) {
	slices.SortFunc(us, func(a, b Utterance) int {
		return cmp.Or(cmp.Compare(a.Speaker, b.Speaker), cmp.Compare(a.Path, b.Path))
	})
}
