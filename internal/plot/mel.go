package plot

import (
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"slices"
)

// Mel is one log-mel spectrogram to draw.
type Mel struct {
	Title string

	// LogMel is [frames, NMels], frame-major: the natural logarithm of mel magnitudes, not normalised. Values that
	// are not finite are drawn as silence.
	LogMel []float32
	NMels  int

	FrameRate    float64   // frames per second
	FMinHz       float64   // lower edge of the lowest band
	FMaxHz       float64   // upper edge of the highest band
	F0Hz         []float32 // optional, one value per frame, 0 where unvoiced; drawn as a line
	StartSeconds float64   // time of frame 0
}

// MelOptions arranges the panels of a picture.
type MelOptions struct {
	Title   string  // above all panels; may be empty
	Columns int     // panels side by side; 0 stacks them, which keeps equal times under each other
	RangeDB float64 // from the loudest to black, 0 means 80
}

const (
	melLeft, melRight   = 74, 92 // room for the frequency axis, and for the colour bar
	melTop, melBottom   = 34, 46
	melHeight           = 240
	melWide, melNarrow  = 1000, 520
	headerHeight        = 40
	decibelsPerNeper    = 8.685889638065037
	defaultMelRangeDB   = 80
	slaneyLinearMels    = 15.0 // 1000 Hz, where Slaney's mel scale turns from linear to logarithmic
	slaneyHzPerMel      = 200.0 / 3
	slaneyLogStep       = 0.06875177742094912 // ln(6.4)/27
	slaneyBreakHz       = 1000.0
	mapSteps            = 256
	ticksPerPanel       = 10
	minTickDistance     = 16 // pixels between two labels of the frequency axis
	percentileForLoud   = 0.999
	f0LineWidth         = 2.0
	f0ShadowWidth       = 4.0
	f0GapSemitones      = 12  // a larger jump between neighbours is an error of the tracker, not a glide
	titleMargin         = 130 // keeps a title away from the legend
	colourBarWidth      = 14
	colourBarDistance   = 14
	colourBarTickLength = 4
)

// f0Colour stands out from every colour of the heat table.
var f0Colour = color.RGBA{0x5c, 0xe6, 0xff, 0xff}

// hzToMel is Slaney's mel scale, as in librosa with htk=False.
func hzToMel(hz float64) float64 {
	if hz < slaneyBreakHz {
		return hz / slaneyHzPerMel
	}
	return slaneyLinearMels + math.Log(hz/slaneyBreakHz)/slaneyLogStep
}

func (m Mel) frames() int { return len(m.LogMel) / m.NMels }

func (m Mel) validate() error {
	switch {
	case m.NMels < 1:
		return fmt.Errorf("plot: %q has %d mels", m.Title, m.NMels)
	case len(m.LogMel) == 0 || len(m.LogMel)%m.NMels != 0:
		return fmt.Errorf("plot: %q has %d values, want a multiple of %d", m.Title, len(m.LogMel), m.NMels)
	case !(m.FrameRate > 0):
		return fmt.Errorf("plot: %q has a frame rate of %g", m.Title, m.FrameRate)
	case !(m.FMaxHz > m.FMinHz) || m.FMinHz < 0:
		return fmt.Errorf("plot: %q spans %g to %g Hz", m.Title, m.FMinHz, m.FMaxHz)
	}
	return nil
}

// Mels writes a PNG of all spectrograms on one colour scale. Panels that are stacked share one time scale, so that a
// shorter one ends further left.
func Mels(w io.Writer, mels []Mel, o MelOptions) error {
	img, err := MelImage(mels, o)
	if err != nil {
		return err
	}
	return writePNG(w, img)
}

// MelImage draws what Mels writes.
func MelImage(mels []Mel, o MelOptions) (*image.RGBA, error) {
	if len(mels) == 0 {
		return nil, errNothing
	}
	for _, m := range mels {
		if err := m.validate(); err != nil {
			return nil, err
		}
	}
	if o.RangeDB <= 0 {
		o.RangeDB = defaultMelRangeDB
	}
	width := melWide
	if o.Columns > 1 && len(mels) > 1 {
		width = melNarrow
	}
	top := 0
	if o.Title != "" {
		top = headerHeight
	}
	grid, size, err := layout(len(mels), o.Columns, melLeft+width+melRight, melTop+melHeight+melBottom, top)
	if err != nil {
		return nil, err
	}
	p := newPen(size)
	if o.Title != "" {
		p.text(p.header, fit(p.header, o.Title, size.X-24), 12, 28, left, ink)
	}
	loud := loudest(mels)
	seconds := 0.0
	for _, m := range mels {
		seconds = max(seconds, float64(m.frames())/m.FrameRate)
	}
	for i, m := range mels {
		r := grid.rect(i)
		area := image.Rect(r.Min.X+melLeft, r.Min.Y+melTop, r.Max.X-melRight, r.Max.Y-melBottom)
		p.mel(area, m, seconds, loud, o.RangeDB)
	}
	return p.img, nil
}

// loudest returns the level in dB that all panels show brightest: a high percentile, since one click must not
// darken everything else.
func loudest(mels []Mel) float64 {
	var all []float32
	for _, m := range mels {
		stride := 1 + len(m.LogMel)/200000
		for i := 0; i < len(m.LogMel); i += stride {
			if v := m.LogMel[i]; finite(v) {
				all = append(all, v)
			}
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return decibelsPerNeper * float64(all[int(percentileForLoud*float64(len(all)-1))])
}

func finite(v float32) bool { return v-v == 0 }

func (p *pen) mel(area image.Rectangle, m Mel, seconds, loud, rangeDB float64) {
	pixelsPerSecond := float64(area.Dx()) / seconds
	frames := m.frames()
	shown := image.Rect(area.Min.X, area.Min.Y,
		min(area.Max.X, area.Min.X+int(math.Ceil(float64(frames)/m.FrameRate*pixelsPerSecond))), area.Max.Y)
	p.fill(area, faint)

	// Bands are equally wide on the mel scale: band i's triangle has its peak at (i+1)/(n+1) of the way.
	low, high := hzToMel(m.FMinHz), hzToMel(m.FMaxHz)
	y := func(hz float64) float64 {
		return float64(area.Max.Y) - (hzToMel(hz)-low)/(high-low)*float64(area.Dy())
	}
	column := make([]float64, m.NMels)
	for x := shown.Min.X; x < shown.Max.X; x++ {
		from := float64(x-area.Min.X) / pixelsPerSecond * m.FrameRate
		m.column(column, from, from+m.FrameRate/pixelsPerSecond)
		for row := range area.Dy() {
			place := (float64(area.Dy()-row)-0.5)/float64(area.Dy())*float64(m.NMels+1) - 1
			v := (interpolate(column, place)*decibelsPerNeper - loud + rangeDB) / rangeDB
			p.img.SetRGBA(x, area.Min.Y+row, heat(v))
		}
	}
	p.melody(area, shown, m, pixelsPerSecond, y)
	p.frame(area, muted)

	p.text(p.title, fit(p.title, m.Title, area.Dx()-titleMargin), area.Min.X, area.Min.Y-10, left, ink)
	for _, t := range hertzTicks(m.FMinHz, m.FMaxHz, minTickDistance, func(hz float64) float64 { return -y(hz) }) {
		at := int(math.Round(y(t.at)))
		p.fill(image.Rect(area.Min.X-6, at, area.Min.X-1, at+1), muted)
		p.middle(p.small, t.label, area.Min.X-9, at, right, ink)
	}
	p.upward(p.label, "frequency (Hz)", area.Min.X-56, (area.Min.Y+area.Max.Y)/2, muted)
	p.timeAxis(area, m.StartSeconds, m.StartSeconds+seconds)
	p.colourBar(area, rangeDB)
}

// column writes the mean of the frames in [from, to), or the interpolated frame where that is less than one frame.
func (m Mel) column(dst []float64, from, to float64) {
	last := m.frames() - 1
	value := func(t, i int) float64 {
		v := m.LogMel[min(max(t, 0), last)*m.NMels+i]
		if !finite(v) {
			return math.Inf(-1)
		}
		return float64(v)
	}
	if to-from <= 1 {
		mid := (from+to)/2 - 0.5
		t := int(math.Floor(mid))
		f := mid - float64(t)
		for i := range dst {
			a, b := value(t, i), value(t+1, i)
			dst[i] = a + f*(b-a)
			if math.IsNaN(dst[i]) {
				dst[i] = math.Inf(-1)
			}
		}
		return
	}
	a, b := int(from), min(max(int(to), int(from)+1), last+1)
	clear(dst)
	for t := a; t < b; t++ {
		for i := range dst {
			dst[i] += value(t, i) / float64(b-a)
		}
	}
}

func interpolate(column []float64, place float64) float64 {
	place = min(max(place, 0), float64(len(column)-1))
	i := int(place)
	if i == len(column)-1 {
		return column[i]
	}
	a, b := column[i], column[i+1]
	v := a + (place-float64(i))*(b-a)
	if math.IsNaN(v) {
		return math.Inf(-1)
	}
	return v
}

// melody draws F0 as a light line with a dark edge, broken where the voice is silent.
func (p *pen) melody(area, shown image.Rectangle, m Mel, pixelsPerSecond float64, y func(float64) float64) {
	var pieces [][]point
	var piece []point
	flush := func() {
		if len(piece) > 1 {
			pieces = append(pieces, piece)
		}
		piece = nil
	}
	before := 0.0
	for t, hz := range m.F0Hz {
		f := float64(hz)
		if !(f > m.FMinHz) || f >= m.FMaxHz {
			flush()
			continue
		}
		if len(piece) > 0 && math.Abs(math.Log2(f/before))*12 > f0GapSemitones {
			flush()
		}
		before = f
		x := float64(area.Min.X) + (float64(t)+0.5)/m.FrameRate*pixelsPerSecond
		piece = append(piece, point{x, y(f)})
	}
	flush()
	if len(pieces) == 0 {
		return
	}
	for _, q := range pieces {
		p.stroke(shown, q, f0ShadowWidth, color.RGBA{0, 0, 0, 0xc0})
	}
	for _, q := range pieces {
		p.stroke(shown, q, f0LineWidth, f0Colour)
	}
	const legend = "pitch (F0)"
	p.text(p.small, legend, area.Max.X, area.Min.Y-10, right, muted)
	x, mid := float64(area.Max.X-textWidth(p.small, legend)-8), float64(area.Min.Y-14)
	box := image.Rect(int(x)-24, area.Min.Y-20, int(x)+2, area.Min.Y-8)
	p.stroke(box, []point{{x - 20, mid}, {x - 2, mid}}, f0ShadowWidth, color.RGBA{0, 0, 0, 0xc0})
	p.stroke(box, []point{{x - 20, mid}, {x - 2, mid}}, f0LineWidth, f0Colour)
}

func (p *pen) timeAxis(area image.Rectangle, from, to float64) {
	for _, t := range niceTicks(from, to, min(ticksPerPanel, area.Dx()/60)) {
		x := area.Min.X + int(math.Round((t.at-from)/(to-from)*float64(area.Dx())))
		p.fill(image.Rect(x, area.Max.Y+1, x+1, area.Max.Y+6), muted)
		p.text(p.small, t.label, x, area.Max.Y+20, centre, ink)
	}
	p.text(p.label, "time (s)", (area.Min.X+area.Max.X)/2, area.Max.Y+38, centre, muted)
}

func (p *pen) colourBar(area image.Rectangle, rangeDB float64) {
	bar := image.Rect(area.Max.X+colourBarDistance, area.Min.Y, area.Max.X+colourBarDistance+colourBarWidth, area.Max.Y)
	for y := bar.Min.Y; y < bar.Max.Y; y++ {
		v := 1 - (float64(y-bar.Min.Y)+0.5)/float64(bar.Dy())
		p.fill(image.Rect(bar.Min.X, y, bar.Max.X, y+1), heat(v))
	}
	p.frame(bar, muted)
	for _, t := range niceTicks(-rangeDB, 0, 5) {
		y := bar.Max.Y - int(math.Round((t.at+rangeDB)/rangeDB*float64(bar.Dy())))
		p.fill(image.Rect(bar.Max.X+1, y, bar.Max.X+1+colourBarTickLength, y+1), muted)
		p.middle(p.small, t.label, bar.Max.X+8, y, left, ink)
	}
	p.text(p.small, "dB", bar.Min.X, bar.Min.Y-10, left, muted)
}

// heat maps 0 (quiet) to 1 (loud) on a scale whose lightness only rises, so that it also reads in grey. Values
// outside are clipped; not a number is quiet.
func heat(v float64) color.RGBA {
	if !(v > 0) {
		v = 0
	}
	return heatTable[int(min(v, 1)*(mapSteps-1)+0.5)]
}

// heatTable runs from near black over violet, red and orange to a pale yellow.
var heatTable = func() (table [mapSteps]color.RGBA) {
	stops := [][3]float64{
		{5, 4, 18}, {28, 16, 68}, {74, 20, 110}, {125, 30, 110}, {176, 44, 92},
		{220, 70, 62}, {245, 115, 36}, {252, 170, 48}, {250, 220, 110}, {254, 252, 214},
	}
	for i := range table {
		at := float64(i) / (mapSteps - 1) * float64(len(stops)-1)
		k := min(int(at), len(stops)-2)
		f := at - float64(k)
		mix := func(c int) uint8 { return uint8(stops[k][c]*(1-f) + stops[k+1][c]*f + 0.5) }
		table[i] = color.RGBA{mix(0), mix(1), mix(2), 0xff}
	}
	return table
}()
