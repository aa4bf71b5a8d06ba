package anonymize

import (
	"bytes"
	"encoding/xml"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/phones"
)

// TestTradeOff: what is missed rises, what is accepted falls, and where they meet is the equal error rate.
func TestTradeOff(t *testing.T) {
	trials := Trials{Same: []float64{0.9, 0.8, 0.3, 0.8}, Different: []float64{0.1, 0.2, 0.5, 0.1, 0.4}}
	curve := trials.TradeOff()
	if first, last := curve[0], curve[len(curve)-1]; first.Missed != 0 || first.Accepted != 1 || last.Missed != 1 || last.Accepted != 0 {
		t.Errorf("from %+v to %+v", first, last)
	}
	nearest, rate := math.Inf(1), 0.0
	for i, e := range curve {
		missed := 0.0
		for _, s := range trials.Same {
			if s < e.Threshold {
				missed += 0.25
			}
		}
		if missed != e.Missed || i > 0 && (e.Threshold <= curve[i-1].Threshold || e.Missed < curve[i-1].Missed || e.Accepted > curve[i-1].Accepted) {
			t.Errorf("%+v: missed %g", e, missed)
		}
		if gap := math.Abs(e.Missed - e.Accepted); gap < nearest {
			nearest, rate = gap, (e.Missed+e.Accepted)/2
		}
	}
	if want, _ := judge.EqualErrorRate(trials.Same, trials.Different); rate != want {
		t.Errorf("they meet at %g, the equal error rate is %g", rate, want)
	}
	if got := (Trials{Same: []float64{1}}).TradeOff(); got != nil {
		t.Errorf("without others: %v", got)
	}
}

func TestInterval(t *testing.T) {
	for _, c := range []struct {
		attack    Attack
		low, high float64 // from a table of Wilson's intervals
	}{
		{Attack{Rate: 0, Same: 10}, 0, 0.2775},
		{Attack{Rate: 0.5, Same: 10}, 0.2366, 0.7634},
		{Attack{Rate: 1, Same: 10}, 0.7225, 1},
	} {
		if low, high := c.attack.Interval(); math.Abs(low-c.low) > 1e-4 || math.Abs(high-c.high) > 1e-4 {
			t.Errorf("%+v: %.4f to %.4f", c.attack, low, high)
		}
	}
}

// corpora are two speakers who lie 90 degrees apart, and the same with changed places.
func corpora() (originals, anonymised Corpus) {
	hear := func(degrees float64, count int) []Hearing {
		var all []Hearing
		for k := range 4 {
			all = append(all, Hearing{Embedding: at(degrees + float64(k)), Read: said(count, 2)})
		}
		return all
	}
	return Corpus{hear(0, 20), hear(90, 30)}, Corpus{hear(90, 24), hear(0, 25)}
}

func TestNewReport(t *testing.T) {
	originals, anonymised := corpora()
	r := NewReport(originals, anonymised, anonymised)
	if r.Speakers != 2 || r.Original.Rate != 0 || r.Ignorant.Rate != 1 || r.Lazy.Rate != 0 {
		t.Errorf("%+v: %v %v %v", r, r.Original, r.Ignorant, r.Lazy)
	}
	if r.Original.Same != 4 || r.Original.Different != 4 {
		t.Errorf("trials: %+v", r.Original)
	}
	if *r.RateBefore != 12.5 || *r.Rate != 12.25 || *r.Deviation > 0.2*(*r.DeviationBefore) {
		t.Errorf("rates: %g +- %g, then %g +- %g", *r.RateBefore, *r.DeviationBefore, *r.Rate, *r.Deviation)
	}
	for _, c := range []Corpus{originals, anonymised} {
		for _, recordings := range c {
			for k := range recordings {
				recordings[k].Read = phones.Reading{}
			}
		}
	}
	if r := NewReport(originals, anonymised, nil); r.Lazy != nil || r.Rate != nil || r.RateBefore != nil || len(r.Rows()) != 2 {
		t.Errorf("without a phone network and a third folder: %+v", r)
	}
	if r := NewReport(originals[:1], anonymised[:1], nil); r.Original != nil || r.Ignorant != nil {
		t.Errorf("one speaker: %+v", r)
	}
}

// TestPage: it needs nothing else, has each attacker's pictures, and no number that is none.
func TestPage(t *testing.T) {
	originals, anonymised := corpora()
	r := NewReport(originals, anonymised, anonymised)
	r.Recordings = 8
	lost := 0.25
	r.WordsLost = &lost
	page := func(r *Report) string {
		t.Helper()
		var b bytes.Buffer
		if err := r.WritePage(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	text := page(r)
	for _, want := range []string{"8 recordings of 2 speakers", Remark, "ignorant attacker", "lazy-informed attacker", "25.0 %", "100.0 %", "phones a second", "color-scheme: dark"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, "ZgotmplZ") || regexp.MustCompile(`https?:|<script|<img|@import|url\(`).MatchString(text) {
		t.Error("the page has a number that is none, or needs something else")
	}
	pictures := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(text, -1)
	if want := 2 + 3 + 3 + 1; len(pictures) != want { // keys, histograms, keys, errors
		t.Errorf("%d pictures, want %d", len(pictures), want)
	}
	for _, p := range pictures {
		if err := xml.Unmarshal([]byte(p), new(struct{})); err != nil {
			t.Errorf("%v in %s", err, p)
		}
	}
	plain := NewReport(originals, anonymised, nil)
	if text := page(plain); strings.Contains(text, "lazy") || strings.Contains(text, "words lost") {
		t.Error("the page shows what was not measured")
	}
}

func TestShares(t *testing.T) {
	bins := shares([]float64{-1, -0.99, 0.999, 1}, -1, 1)
	if bins[0] != 0.5 || bins[histogramBins-1] != 0.5 {
		t.Errorf("%v", bins)
	}
	sum := 0.0
	for _, v := range bins {
		sum += v
	}
	if sum != 1 || !slices.Contains(bins, 0) {
		t.Errorf("they sum to %g", sum)
	}
}
