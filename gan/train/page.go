package train

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/png"
	"io"
	"os"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
)

// The page report.html shows a run to people: one file that holds its pictures and sounds, fit to be sent to somebody.

//go:embed page.html
var pageText string

// shownSeconds bounds the recordings that are put beside a conversion.
const shownSeconds = 12

func shortened(c audio.Clip) audio.Clip {
	return audio.Clip{Samples: c.Samples[:min(len(c.Samples), shownSeconds*c.Rate)], Rate: c.Rate}
}

func encodeWAV(c audio.Clip) ([]byte, error) {
	var b bytes.Buffer
	err := audio.EncodeWAV(&b, c)
	return b.Bytes(), err
}

// page is what the template of report.html is given.
type page struct {
	Title    string
	Program  string
	Made     string
	Steps    int
	Of       int
	Device   string
	Config   Config
	Speakers []gan.SpeakerInfo
	Lint     string
	Scores   []scoreRow
	Curves   []byte
	Samples  []sample
}

// scoreRow is one validation.
type scoreRow struct {
	Step   int
	Values map[string]float32
	Best   bool
}

// dataURI is data as an address that holds it.
func dataURI(kind string, data []byte) template.URL {
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data))
}

func (r *runner) writePage(m *gan.Model, samples []sample, step int) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"png": func(b []byte) template.URL { return dataURI("image/png", b) },
		"wav": func(b []byte) template.URL { return dataURI("audio/wav", b) },
		"num": func(v float32) string { return fmt.Sprintf("%.3f", v) },
		"min": func(seconds float64) string { return fmt.Sprintf("%.1f", seconds/60) },
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("report.html: %w", err)
	}
	p := page{
		Title: r.folder.name(), Program: r.o.Version, Made: time.Now().Format("2 January 2006, 15:04"), Steps: step, Of: r.req.Config.Steps,
		Device: r.device.String(), Config: r.req.Config, Speakers: m.Speakers, Samples: samples,
	}
	p.Curves, _ = os.ReadFile(r.folder.path("losses.png")) // not there for a run of a step or two
	lint, _ := os.ReadFile(r.folder.path("lint.txt"))
	p.Lint = string(lint)
	records, err := readMetrics(r.folder.path("metrics.jsonl"))
	if err != nil {
		return err
	}
	for _, rec := range records {
		if _, ok := rec.Metrics["valid_cycle"]; ok {
			p.Scores = append(p.Scores, scoreRow{rec.Step + 1, rec.Metrics, rec.Step+1 == r.best.step})
		}
	}
	return audio.WriteAtomic(r.folder.path("report.html"), func(w io.Writer) error {
		if err := t.Execute(w, p); err != nil {
			return fmt.Errorf("report.html: %w", err)
		}
		return nil
	})
}

// showSamples hands the samples to TensorBoard.
func (r *runner) showSamples(m *gan.Model, samples []sample, step int) {
	b, err := openBoard(r.folder.dir, step+1, r.say)
	if err != nil {
		return
	}
	defer b.close()
	for _, s := range samples {
		name := s.From + " to " + s.To + "/" + s.Name
		if cfg, err := png.DecodeConfig(bytes.NewReader(s.Mels)); err == nil {
			b.try(b.w.PNG(step, "mel/"+name, s.Mels, cfg.Width, cfg.Height))
		}
		if len(s.WAV) > 0 {
			b.try(b.w.WAV(step, "converted/"+name, s.WAV, s.Rate, s.Samples))
		}
	}
}
