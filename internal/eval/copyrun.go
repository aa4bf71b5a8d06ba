package eval

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// CopyVocoder is a vocoder to be scored. Vocode makes that many samples of frames; it is called by several goroutines at
// once.
type CopyVocoder struct {
	Name   string
	Vocode func(ctx context.Context, f features.Frames, samples int) ([]float32, error)
}

// CopyOptions say what Copies does.
type CopyOptions struct {
	Features features.Config // recordings are resampled to its rate
	Files    []string        // WAV or FLAC
	Vocoders []CopyVocoder
	Workers  int // how many files are worked on at once, 0 for one per processor
	// Made, unless nil, is given each recording, with vocoder "", and each copy of it, at the rate of Features, by one
	// goroutine at a time.
	Made func(file, vocoder string, clip audio.Clip) error
	// Progress, unless nil, is told after each copy, by one goroutine at a time.
	Progress func(done, total int)
}

// CopyRow sums up what one vocoder made of all recordings: means over the files with their intervals.
type CopyRow struct {
	Vocoder      string      `json:"vocoder"`
	STFT         Interval    `json:"stft"`
	Mel          Interval    `json:"melNepers"`
	LSD          Interval    `json:"lsdDB"`
	F0Gross      Interval    `json:"f0GrossError"`
	F0Cents      Interval    `json:"f0RMSECents"`
	VoicingError Interval    `json:"voicingError"`
	Periodicity  Interval    `json:"periodicityRMSE"`
	Files        []CopyScore `json:"files"` // in the order of CopyOptions.Files
}

// CopyTable is a row for each vocoder.
type CopyTable struct {
	Files  []string  `json:"files"`
	Rows   []CopyRow `json:"rows"`
	Method string    `json:"method"`
}

// Copies scores vocoders by copy synthesis: every recording is analysed, each vocoder makes sound of its frames, and that is
// compared with the recording by CompareCopy. An error names the file.
func Copies(ctx context.Context, o CopyOptions) (*CopyTable, error) {
	if err := o.Features.Validate(); err != nil {
		return nil, fmt.Errorf("copy synthesis: %w", err)
	}
	if len(o.Files) == 0 || len(o.Vocoders) == 0 {
		return nil, errors.New("copy synthesis: nothing to score: no recordings or no vocoders")
	}
	scores := make([][]CopyScore, len(o.Vocoders))
	for i := range scores {
		scores[i] = make([]CopyScore, len(o.Files))
	}
	var mutex sync.Mutex
	done := 0
	p := &pool{workers: o.Workers, total: len(o.Files)}
	err := p.each(ctx, len(o.Files), func(i int) error {
		return o.file(ctx, o.Files[i], func(k int, s CopyScore) {
			mutex.Lock()
			defer mutex.Unlock()
			scores[k][i] = s
			done++
			if o.Progress != nil {
				o.Progress(done, len(o.Files)*len(o.Vocoders))
			}
		}, &mutex)
	})
	if err != nil {
		return nil, err
	}
	table := &CopyTable{Files: o.Files, Method: fmt.Sprintf("Method: copy synthesis of %d recordings at %d Hz from their own frames of "+
		"%d mel bands and F0; lower is better; [95 %% bootstrap interval over files]. STFT: spectral convergence and log-magnitude "+
		"distance at windows of 10, 25 and 50 ms. F0 cents: without the gross errors, which are those over 20 %%.",
		len(o.Files), o.Features.SampleRate, o.Features.NMels)}
	for k, v := range o.Vocoders {
		table.Rows = append(table.Rows, newCopyRow(v.Name, scores[k]))
	}
	return table, nil
}

// file scores all vocoders on one recording. Made is called with mutex held.
func (o CopyOptions) file(ctx context.Context, path string, scored func(vocoder int, s CopyScore), mutex *sync.Mutex) error {
	clip, err := audio.ReadFile(path)
	if err != nil {
		return fmt.Errorf("copy synthesis: %w", err)
	}
	x := audio.Resample(clip.Samples, clip.Rate, o.Features.SampleRate)
	if len(x) == 0 {
		return fmt.Errorf("copy synthesis: %s: the recording holds no samples", path)
	}
	recording, err := features.Analyze(o.Features, audio.Clip{Samples: x, Rate: o.Features.SampleRate})
	if err != nil {
		return fmt.Errorf("copy synthesis: %s: %w", path, err)
	}
	made := func(vocoder string, y []float32) error {
		if o.Made == nil {
			return nil
		}
		mutex.Lock()
		defer mutex.Unlock()
		return o.Made(path, vocoder, audio.Clip{Samples: y, Rate: o.Features.SampleRate})
	}
	if err := made("", x); err != nil {
		return err
	}
	for k, v := range o.Vocoders {
		y, err := v.Vocode(ctx, recording.Frames, len(x))
		if err != nil {
			return fmt.Errorf("copy synthesis: %s: %s: %w", path, v.Name, err)
		}
		s, err := CompareCopy(o.Features, recording.Samples, y)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", path, v.Name, err)
		}
		scored(k, s)
		recording.Restore(y, o.Features.SampleRate)
		if err := made(v.Name, y); err != nil {
			return err
		}
	}
	return nil
}

func newCopyRow(name string, files []CopyScore) CopyRow {
	sum := func(value func(CopyScore) float64) Interval {
		values := make([]float64, len(files))
		for i, s := range files {
			values[i] = value(s)
		}
		return Bootstrap(values)
	}
	return CopyRow{
		Vocoder: name, Files: files,
		STFT:         sum(func(s CopyScore) float64 { return s.STFT }),
		Mel:          sum(func(s CopyScore) float64 { return s.Mel }),
		LSD:          sum(func(s CopyScore) float64 { return s.LSD }),
		F0Gross:      sum(func(s CopyScore) float64 { return s.F0Gross }),
		F0Cents:      sum(func(s CopyScore) float64 { return s.F0Cents }),
		VoicingError: sum(func(s CopyScore) float64 { return s.VoicingError }),
		Periodicity:  sum(func(s CopyScore) float64 { return s.Periodicity }),
	}
}

// WriteText writes the table for people, a line per vocoder.
func (t *CopyTable) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "vocoder\tSTFT\tmel, nepers\tLSD, dB\tF0 gross, %\tF0, cents\tvoicing, %\tperiodicity")
	for _, r := range t.Rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Vocoder, r.STFT.show(1, 3), r.Mel.show(1, 3), r.LSD.show(1, 2),
			r.F0Gross.show(100, 2), r.F0Cents.show(1, 1), r.VoicingError.show(100, 1), r.Periodicity.show(1, 3))
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("writing scores: %w", err)
	}
	fmt.Fprintln(b, t.Method)
	if err := b.Flush(); err != nil {
		return fmt.Errorf("writing scores: %w", err)
	}
	return nil
}

// WriteJSON writes the table for programs, every file's scores included; a score that could not be had is null.
func (t *CopyTable) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(t); err != nil {
		return fmt.Errorf("writing scores: %w", err)
	}
	return nil
}

// show is the mean, and the interval where there are several values to take one of.
func (v Interval) show(times float64, decimals int) string {
	if v.N < 2 {
		return short(times*v.Mean, decimals)
	}
	return fmt.Sprintf("%.*f [%.*f, %.*f]", decimals, times*v.Mean, decimals, times*v.Low, decimals, times*v.High)
}
