package plot

import (
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
)

// Series is one curve. X may be nil, then points are counted from 0. Values that are not finite leave a gap.
type Series struct {
	Name   string
	X, Y   []float64
	Smooth float64 // 0 draws the values; a number in (0, 1) draws them faintly, and their moving average in full
}

// Chart is one pair of axes with any number of curves.
type Chart struct {
	Title  string
	XLabel string
	YLabel string
	Series []Series
	LogY   bool // logarithmic vertical axis; values <= 0 are left out
}

// LineOptions arranges the charts of a picture.
type LineOptions struct {
	Title   string
	Columns int // charts side by side; 0 means one
}

const (
	chartWidth, chartHeight  = 640, 320
	chartLeft, chartRight    = 78, 24
	chartTop, chartBottom    = 58, 54
	chartTicksX, chartTicksY = 8, 6
	curveWidth, faintWidth   = 2.2, 1.0
	faintAlpha               = 0x48
	rangeMargin              = 0.06
)

// curveColours are told apart by people with the common kinds of colour blindness (after Okabe and Ito).
var curveColours = []color.RGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff},
	{0x8a, 0x6d, 0x00, 0xff}, {0x56, 0xb4, 0xe9, 0xff}, {0x44, 0x44, 0x4c, 0xff},
}

// Lines writes a PNG of the charts.
func Lines(w io.Writer, charts []Chart, o LineOptions) error {
	img, err := LineImage(charts, o)
	if err != nil {
		return err
	}
	return writePNG(w, img)
}

// LineImage draws what Lines writes. A chart without a single finite value shows its axes and says so.
func LineImage(charts []Chart, o LineOptions) (*image.RGBA, error) {
	if len(charts) == 0 {
		return nil, errNothing
	}
	for _, c := range charts {
		for _, s := range c.Series {
			if !(s.Smooth >= 0 && s.Smooth < 1) {
				return nil, fmt.Errorf("plot: chart %q: series %q: smooth is %g, want 0 to below 1", c.Title, s.Name, s.Smooth)
			}
			if s.X != nil && len(s.X) != len(s.Y) {
				return nil, fmt.Errorf("plot: chart %q: series %q has %d x and %d y", c.Title, s.Name, len(s.X), len(s.Y))
			}
		}
	}
	top := 0
	if o.Title != "" {
		top = headerHeight
	}
	grid, size, err := layout(len(charts), o.Columns, chartWidth, chartHeight, top)
	if err != nil {
		return nil, err
	}
	p := newPen(size)
	if o.Title != "" {
		p.text(p.header, fit(p.header, o.Title, size.X-24), 12, 28, left, ink)
	}
	for i, c := range charts {
		r := grid.rect(i)
		p.chart(image.Rect(r.Min.X+chartLeft, r.Min.Y+chartTop, r.Max.X-chartRight, r.Max.Y-chartBottom), c)
	}
	return p.img, nil
}

// axis maps values to pixels.
type axis struct {
	low, high float64 // in log10 where log is true
	log       bool
}

func (a *axis) value(v float64) float64 {
	if a.log {
		return math.Log10(v)
	}
	return v
}

func (a *axis) include(v float64) { a.low, a.high = min(a.low, v), max(a.high, v) }

// part returns where v lies, 0 at the low end and 1 at the high end.
func (a *axis) part(v float64) float64 { return (a.value(v) - a.low) / (a.high - a.low) }

func (c Chart) ok(x, y float64) bool {
	return !math.IsNaN(x+y) && !math.IsInf(x, 0) && !math.IsInf(y, 0) && (!c.LogY || y > 0)
}

func (s Series) x(i int) float64 {
	if s.X == nil {
		return float64(i)
	}
	return s.X[i]
}

// axes fits both axes to the data; ok is false where there is none.
func (c Chart) axes() (x, y axis, ok bool) {
	x = axis{math.Inf(1), math.Inf(-1), false}
	y = axis{math.Inf(1), math.Inf(-1), c.LogY}
	for _, s := range c.Series {
		for i, v := range s.Y {
			if !c.ok(s.x(i), v) {
				continue
			}
			x.include(s.x(i))
			y.include(y.value(v))
			ok = true
		}
	}
	if !ok {
		x, y = axis{0, 1, false}, axis{0, 1, false}
		return x, y, false
	}
	if x.high == x.low {
		x.high = x.low + 1
	}
	margin := (y.high - y.low) * rangeMargin
	if margin == 0 {
		margin = max(math.Abs(y.low)*0.1, 1e-6)
	}
	// A loss that never goes below zero is read against zero, where that is not far away.
	if !c.LogY && y.low >= 0 && y.low < y.high/2 {
		y.low, y.high = 0, y.high+margin
	} else {
		y.low, y.high = y.low-margin, y.high+margin
	}
	return x, y, true
}

func (p *pen) chart(area image.Rectangle, c Chart) {
	x, y, ok := c.axes()
	px := func(v float64) float64 { return float64(area.Min.X) + x.part(v)*float64(area.Dx()) }
	py := func(v float64) float64 { return float64(area.Max.Y) - y.part(v)*float64(area.Dy()) }

	ticks := niceTicks(y.low, y.high, chartTicksY)
	if y.log {
		ticks = logTicks(math.Pow(10, y.low), math.Pow(10, y.high))
	}
	for _, t := range ticks {
		at := int(math.Round(py(t.at)))
		p.fill(image.Rect(area.Min.X, at, area.Max.X, at+1), faint)
		p.middle(p.small, t.label, area.Min.X-8, at, right, ink)
	}
	for _, t := range niceTicks(x.low, x.high, chartTicksX) {
		at := int(math.Round(px(t.at)))
		p.fill(image.Rect(at, area.Min.Y, at+1, area.Max.Y), faint)
		p.text(p.small, t.label, at, area.Max.Y+18, centre, ink)
	}
	for i, s := range c.Series {
		p.curve(area, c, s, px, py, curveColours[i%len(curveColours)])
	}
	p.frame(area, muted)
	if !ok {
		p.middle(p.label, "no data yet", (area.Min.X+area.Max.X)/2, (area.Min.Y+area.Max.Y)/2, centre, muted)
	}
	p.text(p.title, fit(p.title, c.Title, area.Dx()), area.Min.X, area.Min.Y-32, left, ink)
	p.legend(area, c)
	if c.XLabel != "" {
		p.text(p.label, c.XLabel, (area.Min.X+area.Max.X)/2, area.Max.Y+40, centre, muted)
	}
	if c.YLabel != "" {
		p.upward(p.label, c.YLabel, area.Min.X-62, (area.Min.Y+area.Max.Y)/2, muted)
	}
}

// legend names the curves in a row between title and axes.
func (p *pen) legend(area image.Rectangle, c Chart) {
	at, y := area.Min.X, area.Min.Y-12
	for i, s := range c.Series {
		if s.Name == "" {
			continue
		}
		name := fit(p.small, s.Name, area.Max.X-at-24)
		p.fill(image.Rect(at, y-6, at+16, y-3), curveColours[i%len(curveColours)])
		p.text(p.small, name, at+20, y, left, ink)
		at += 20 + textWidth(p.small, name) + 14
		if at > area.Max.X-40 {
			return
		}
	}
}

func (p *pen) curve(area image.Rectangle, c Chart, s Series, px, py func(float64) float64, hue color.RGBA) {
	pale := color.NRGBA{hue.R, hue.G, hue.B, faintAlpha}
	var raw, smooth []point
	flush := func() {
		if s.Smooth > 0 {
			p.stroke(area, raw, faintWidth, pale)
			p.stroke(area, smooth, curveWidth, hue)
		} else {
			p.stroke(area, raw, curveWidth, hue)
		}
		if len(raw) == 1 {
			q := raw[0]
			p.stroke(area, []point{{q.x - 1.5, q.y}, {q.x + 1.5, q.y}}, 2*curveWidth, hue)
		}
		raw, smooth = nil, nil
	}
	// The average is divided by its weights' sum, so that it starts at the first value and not at zero.
	sum, weight := 0.0, 0.0
	for i, v := range s.Y {
		if !c.ok(s.x(i), v) {
			flush()
			continue
		}
		sum, weight = s.Smooth*sum+v, s.Smooth*weight+1
		raw = append(raw, point{px(s.x(i)), py(v)})
		smooth = append(smooth, point{px(s.x(i)), py(sum / weight)})
	}
	flush()
}
