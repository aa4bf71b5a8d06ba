package plot

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

var (
	regular = sync.OnceValue(func() *opentype.Font { return mustParse(goregular.TTF) })
	bold    = sync.OnceValue(func() *opentype.Font { return mustParse(gobold.TTF) })
)

// mustParse panics: the fonts are compiled in, so a failure is a bug of the build.
func mustParse(ttf []byte) *opentype.Font {
	f, err := opentype.Parse(ttf)
	if err != nil {
		panic("plot: compiled-in font: " + err.Error())
	}
	return f
}

// pen draws on one picture. Faces are not safe for concurrent use, so every picture has its own.
type pen struct {
	img    *image.RGBA
	small  font.Face // tick labels
	label  font.Face // axis labels, legends
	title  font.Face // panel titles
	header font.Face // the title of the whole picture
}

func newPen(size image.Point) *pen {
	p := &pen{img: image.NewRGBA(image.Rectangle{Max: size})}
	draw.Draw(p.img, p.img.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	p.small = mustFace(regular(), 13)
	p.label = mustFace(regular(), 14)
	p.title = mustFace(bold(), 16)
	p.header = mustFace(bold(), 20)
	return p
}

func mustFace(f *opentype.Font, pixels float64) font.Face {
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: pixels, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic("plot: font face: " + err.Error())
	}
	return face
}

// align says which part of a text lies on the given x.
type align float64

const (
	left   align = 0
	centre align = 0.5
	right  align = 1
)

func textWidth(f font.Face, s string) int { return font.MeasureString(f, s).Ceil() }

// text writes s with its baseline on y.
func (p *pen) text(f font.Face, s string, x, y int, a align, c color.Color) {
	x -= int(math.Round(float64(a) * float64(textWidth(f, s))))
	d := font.Drawer{Dst: p.img, Src: image.NewUniform(c), Face: f, Dot: fixed.P(x, y)}
	d.DrawString(s)
}

// middle writes s with the middle of its lower-case letters on y.
func (p *pen) middle(f font.Face, s string, x, y int, a align, c color.Color) {
	p.text(f, s, x, y+f.Metrics().CapHeight.Round()/2, a, c)
}

// fit shortens s with an ellipsis until it is at most width pixels wide.
func fit(f font.Face, s string, width int) string {
	if textWidth(f, s) <= width {
		return s
	}
	r := []rune(s)
	for len(r) > 0 && textWidth(f, string(r)+"…") > width {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// upward writes s rotated by a quarter turn, reading from bottom to top, centred on (x, y).
func (p *pen) upward(f font.Face, s string, x, y int, c color.Color) {
	m := f.Metrics()
	w, h := textWidth(f, s), (m.Ascent + m.Descent).Ceil()
	line := image.NewAlpha(image.Rect(0, 0, w, h))
	d := font.Drawer{Dst: line, Src: image.Opaque, Face: f, Dot: fixed.P(0, m.Ascent.Ceil())}
	d.DrawString(s)
	turned := image.NewAlpha(image.Rect(0, 0, h, w))
	for j := range h {
		for i := range w {
			turned.SetAlpha(j, w-1-i, line.AlphaAt(i, j))
		}
	}
	r := image.Rect(x-h/2, y-w/2, x-h/2+h, y-w/2+w)
	draw.DrawMask(p.img, r, image.NewUniform(c), image.Point{}, turned, image.Point{}, draw.Over)
}

func (p *pen) fill(r image.Rectangle, c color.Color) {
	draw.Draw(p.img, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// frame draws a one-pixel border just outside r.
func (p *pen) frame(r image.Rectangle, c color.Color) {
	o := r.Inset(-1)
	p.fill(image.Rect(o.Min.X, o.Min.Y, o.Max.X, o.Min.Y+1), c)
	p.fill(image.Rect(o.Min.X, o.Max.Y-1, o.Max.X, o.Max.Y), c)
	p.fill(image.Rect(o.Min.X, o.Min.Y, o.Min.X+1, o.Max.Y), c)
	p.fill(image.Rect(o.Max.X-1, o.Min.Y, o.Max.X, o.Max.Y), c)
}

type point struct{ x, y float64 }

// stroke draws connected segments of the given width with round ends, anti-aliased, clipped to r. A pixel is covered
// by its distance to the nearest segment, so that joints of a fine polyline are no darker than the rest.
func (p *pen) stroke(r image.Rectangle, pts []point, width float64, c color.Color) {
	if len(pts) < 2 || r.Empty() {
		return
	}
	mask := image.NewAlpha(r)
	reach := width/2 + 1
	for i := 1; i < len(pts); i++ {
		a, b := pts[i-1], pts[i]
		box := image.Rect(
			int(math.Floor(min(a.x, b.x)-reach)), int(math.Floor(min(a.y, b.y)-reach)),
			int(math.Ceil(max(a.x, b.x)+reach)), int(math.Ceil(max(a.y, b.y)+reach))).Intersect(r)
		dx, dy := b.x-a.x, b.y-a.y
		square := dx*dx + dy*dy
		for y := box.Min.Y; y < box.Max.Y; y++ {
			for x := box.Min.X; x < box.Max.X; x++ {
				px, py := float64(x)+0.5-a.x, float64(y)+0.5-a.y
				along := 0.0
				if square > 0 {
					along = min(max((px*dx+py*dy)/square, 0), 1)
				}
				cover := width/2 + 0.5 - math.Hypot(px-along*dx, py-along*dy)
				at := mask.PixOffset(x, y)
				if v := uint8(min(max(cover, 0), 1) * 255); v > mask.Pix[at] {
					mask.Pix[at] = v
				}
			}
		}
	}
	draw.DrawMask(p.img, r, image.NewUniform(c), image.Point{}, mask, r.Min, draw.Over)
}
