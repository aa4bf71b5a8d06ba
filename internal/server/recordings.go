package server

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/corpus"
)

// recorded is one recording of a voice that is to be learnt, with what is to be said of it.
type recorded struct {
	ID       string   `json:"id"`
	Sentence *int     `json:"sentence" doc:"Number of the sentence that was read, null for another recording"`
	Name     string   `json:"name"`
	Seconds  float64  `json:"seconds"`
	Speech   float64  `json:"speech_seconds"`
	LevelDB  float64  `json:"level_db" doc:"Of the speech"`
	PeakDB   float64  `json:"peak_db"`
	NoiseDB  float64  `json:"noise_db" doc:"Of the pauses"`
	Clipped  int      `json:"clipped" doc:"Places where the sound is cut off"`
	OK       bool     `json:"ok" doc:"It is used; else it had better be taken again"`
	Remarks  []string `json:"remarks"`
	URL      string   `json:"url"`
}

// What a recording is judged by. Levels are dB relative to full scale.
const (
	longestTake   = 10 * time.Minute
	quietSpeech   = -38.0
	tooQuiet      = -50.0
	loudSpeech    = -9.0
	noisyContrast = 25.0 // from the speech down to its pauses
	tooNoisy      = 12.0
	fewClipped    = 3
	leastSentence = 0.8 // seconds of speech
	dullHz        = 22000
)

// hear judges a recording, in words that say what to do about it.
func hear(x []float32, rate, from int) recorded {
	r := recorded{Remarks: []string{}, OK: true, Seconds: float64(len(x)) / float64(rate)}
	_, peak := audio.Level(x)
	r.Clipped = corpus.ClippedRuns(x, 3)
	x = audio.WithoutRumble(slices.Clone(x), rate)
	level, _ := audio.SpeechLevel(x, rate)
	blocks := blockLevels(x, rate/50)
	sorted := slices.Sorted(slices.Values(blocks))
	noise := -120.0
	if len(sorted) > 0 {
		noise = sorted[len(sorted)/10]
	}
	loud := 0
	for _, b := range blocks {
		if b > max(level-16, noise+6) {
			loud++
		}
	}
	r.Speech = float64(loud) / 50
	r.LevelDB, r.PeakDB, r.NoiseDB = tenth(level), tenth(peak), tenth(max(noise, -120))
	say := func(bad bool, format string, a ...any) {
		r.Remarks = append(r.Remarks, fmt.Sprintf(format, a...))
		r.OK = r.OK && !bad
	}
	switch {
	case peak < -60:
		say(true, "all is silence: is this the right microphone, and is it switched on?")
		r.Speech = 0
		r.Seconds, r.LevelDB = round(r.Seconds), -120
		return r
	case r.Speech < leastSentence:
		say(true, "there is hardly any speech in it: begin when the recording has begun, and stop after the last word")
	}
	switch {
	case r.Clipped > fewClipped:
		say(true, "the sound is cut off in %d places: turn the microphone down, or move back from it", r.Clipped)
	case r.Clipped > 0:
		say(false, "the sound is cut off in %d places: turn the microphone down a little", r.Clipped)
	case level > loudSpeech:
		say(false, "it is very loud: turn the microphone down a little")
	}
	switch {
	case level < tooQuiet:
		say(true, "it is much too quiet: come close to the microphone, or turn it up")
	case level < quietSpeech:
		say(false, "it is rather quiet: come closer to the microphone, or turn it up")
	}
	switch contrast := level - noise; {
	case r.Seconds < 1.5: // may have no pause
	case contrast < tooNoisy:
		say(true, "the background is nearly as loud as the voice: find a quieter room, and switch off fans")
	case contrast < noisyContrast:
		say(false, "there is noise in the background, %.0f dB below the voice: a quieter room gives a cleaner voice", contrast)
	}
	if from < dullHz {
		say(false, "it was recorded at %d Hz, which leaves out the highest sounds of speech: record at 44100 or 48000 Hz if you can", from)
	}
	r.Seconds, r.Speech = round(r.Seconds), round(r.Speech)
	return r
}

func round(seconds float64) float64 { return math.Round(100*seconds) / 100 }
func tenth(dB float64) float64      { return math.Round(10*max(dB, -120)) / 10 }

// blockLevels are the levels of consecutive blocks, in dB.
func blockLevels(x []float32, n int) []float64 {
	var levels []float64
	for part := range slices.Chunk(x, max(1, n)) {
		rms, _ := audio.Level(part)
		levels = append(levels, max(rms, -120))
	}
	return levels
}

func isRecording(name string) bool {
	is, _ := audio.IsRecording(name)
	return is
}

// addTake keeps a recording for a training, with what is to be said of it. One of a sentence replaces an earlier one.
func (t *trains) addTake(ctx context.Context, tr *trainee, f *form) (recorded, error) {
	u, err := f.file("file")
	if err != nil {
		return recorded{}, err
	}
	var sentence *int
	if text, ok := f.values["sentence"]; ok && text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n >= len(t.s.c.Sentences) {
			return recorded{}, invalid(fmt.Sprintf("%q is not the number of a sentence, 0 to %d", oneLine(text, 20), len(t.s.c.Sentences)-1), "body", "sentence")
		}
		sentence = &n
	}
	in, err := readSound(ctx, u, 0, longestTake)
	if err != nil {
		return recorded{}, err
	}
	r := hear(in.samples, in.rate, in.from)
	r.Sentence, r.Name = sentence, u.name
	r.Remarks = append(r.Remarks, in.warnings...)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case tr.State != recording:
		return recorded{}, wrongState("%s is %s: recordings are taken before a training begins", tr.Name, tr.State)
	case len(tr.Recordings) >= maxRecordings:
		return recorded{}, wrongState("%d recordings are the most", maxRecordings)
	}
	tr.Next++
	r.ID = fmt.Sprintf("%04d", tr.Next)
	r.URL = "/studio/api/trainings/" + tr.ID + "/recordings/" + r.ID
	file, err := t.s.root.Create(tr.path("takes", r.ID+".wav"))
	if err != nil {
		return recorded{}, err
	}
	err = audio.EncodeWAV(file, audio.Clip{Samples: in.samples, Rate: in.rate})
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		t.s.root.Remove(tr.path("takes", r.ID+".wav"))
		return recorded{}, err
	}
	if sentence != nil {
		for _, o := range tr.Recordings {
			if o.Sentence != nil && *o.Sentence == *sentence {
				t.s.root.Remove(tr.path("takes", o.ID+".wav"))
			}
		}
		tr.Recordings = slices.DeleteFunc(tr.Recordings, func(o recorded) bool { return o.Sentence != nil && *o.Sentence == *sentence })
	}
	tr.Recordings = append(tr.Recordings, r)
	return r, t.save(tr)
}

func (t *trains) findTake(tr *trainee, id string) (recorded, *problem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range tr.Recordings {
		if r.ID == id {
			return r, nil
		}
	}
	return recorded{}, fail(http.StatusNotFound, "not_found", "there is no recording %q", oneLine(id, 20))
}

func (t *trains) removeTake(tr *trainee, id string) error {
	if _, p := t.findTake(tr, id); p != nil {
		return p
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if tr.State != recording {
		return wrongState("%s is %s: its recordings stay", tr.Name, tr.State)
	}
	t.s.root.Remove(tr.path("takes", id+".wav"))
	tr.Recordings = slices.DeleteFunc(tr.Recordings, func(r recorded) bool { return r.ID == id })
	return t.save(tr)
}
