package eval

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/plot"
)

// example is a conversion to listen to.
type example struct {
	Pair, Utterance string
	Why             string // it is shown
	ClipScores
	Sounds  []sound
	Picture template.URL // spectrograms, a PNG
}

type sound struct {
	Title string
	URI   template.URL // a WAV
}

// longestExample bounds a sound of the page, in seconds.
const longestExample = 12.0

// examples converts some recordings again for the page: the first of the worst pair, of the best, and of pairs evenly
// between.
func (s *suite) examples(ctx context.Context, r *Report) ([]example, error) {
	n := min(s.o.Keep, len(r.Pairs))
	var list []example
	for i := range n {
		at := 0
		if n > 1 {
			at = i * (len(r.Pairs) - 1) / (n - 1)
		}
		p := r.Pairs[at]
		why := fmt.Sprintf("pair %d of %d, the worst first", at+1, len(r.Pairs))
		if at == 0 {
			why = "the worst pair"
		} else if at == len(r.Pairs)-1 {
			why = "the best pair"
		}
		for k, t := range s.tasks {
			if t.source.Name != p.From || t.target.Name != p.To {
				continue
			}
			e, err := s.example(ctx, t)
			if err != nil {
				return nil, fmt.Errorf("%s to %s: %w", t.path, p.To, err)
			}
			e.Pair, e.Utterance, e.Why, e.ClipScores = p.name(), utteranceOf(t.path), why, s.clips[k]
			list = append(list, e)
			break
		}
	}
	return list, nil
}

func (s *suite) example(ctx context.Context, t task) (example, error) {
	var e example
	clip, err := audio.ReadFile(t.path)
	if err != nil {
		return e, err
	}
	out, err := s.o.Convert(ctx, clip, t.target.Name)
	if err != nil {
		return e, err
	}
	clips := []audio.Clip{clip, out.Clip}
	titles := []string{"source: " + t.source.Name, "converted to " + t.target.Name}
	if t.reference != "" {
		target, err := audio.ReadFile(t.reference)
		if err != nil {
			return e, err
		}
		title := "target: " + t.target.Name
		if !t.sameWords {
			title += ", other words"
		}
		clips, titles = append(clips, target), append(titles, title)
	}
	cfg := s.o.Features
	var mels []plot.Mel
	seconds := longestExample
	for i, c := range clips {
		c.Samples = c.Samples[:min(len(c.Samples), int(seconds*float64(c.Rate)))]
		if i == 0 && !t.sameWords {
			seconds = c.Duration().Seconds() // of other words, no more
		}
		var wav bytes.Buffer
		if err := audio.EncodeWAV(&wav, c); err != nil {
			return e, err
		}
		e.Sounds = append(e.Sounds, sound{titles[i], dataURI("audio/wav", wav.Bytes())})
		heard, err := features.Analyze(cfg, c)
		if err != nil {
			return e, err
		}
		mels = append(mels, plot.FromFrames(titles[i], cfg, heard.Frames))
	}
	var picture bytes.Buffer
	if err := plot.Mels(&picture, mels, plot.MelOptions{Columns: len(mels)}); err != nil {
		return e, err
	}
	e.Picture = dataURI("image/png", picture.Bytes())
	return e, nil
}

func dataURI(kind string, data []byte) template.URL {
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data))
}

//go:embed page.html
var pageText string

// WritePage writes the report as one HTML page that needs nothing else: sounds and pictures lie in it.
func (r *Report) WritePage(w io.Writer) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"columns":    func() []column { return columns },
		"ownColumns": func() []column { return ownColumns },
		"disturbed":  r.disturbedRows,
		"value":      func(c column, s Summary) string { return c.value(s) },
		"short":      func(v float64) string { return short(v, 2) },
		"rate":       func(e PhoneErrors) string { return percent(e.Rate()) },
		"share":      func(v number) string { return percent(float64(v)) },
		// hue colours a margin: red where the conversion is nearer to the source, green where it is nearer to the target.
		"hue": func(v Interval) template.CSS {
			if math.IsNaN(v.Mean) {
				return ""
			}
			return template.CSS(fmt.Sprintf("background:hsl(%.0f 70%% 88%%)", 60+60*math.Max(-1, math.Min(1, v.Mean*2))))
		},
	}).Parse(pageText)
	if err != nil {
		panic(err) // the page is ours
	}
	err = page.Execute(w, struct {
		*Report
		Examples []example
	}{r, r.examples})
	if err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}
