// Package plot draws the pictures that explain a voice conversion or a training run: log-mel spectrograms on a mel
// axis labelled in hertz, several of them on one colour scale, and line charts of losses. Everything is drawn with
// the standard library's image types and the Go fonts, and encoded as PNG.
//
// The functions take plain numbers and a writer. They hold no state and may be called from several goroutines.
package plot

import (
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
)

// maxPixels bounds a picture, so that a wild number of panels is an error and not an exhausted machine.
const maxPixels = 64 << 20

var (
	paper = color.RGBA{0xff, 0xff, 0xff, 0xff}
	ink   = color.RGBA{0x22, 0x22, 0x26, 0xff}
	faint = color.RGBA{0xe3, 0xe3, 0xe8, 0xff}
	muted = color.RGBA{0x66, 0x66, 0x70, 0xff}
)

var errNothing = errors.New("plot: nothing to draw")

// writePNG encodes with the fastest compression that still shrinks flat areas: pictures are written while training.
func writePNG(w io.Writer, img image.Image) error {
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	return e.Encode(w, img)
}

// cells arranges n panels of w x h pixels in columns under a heading of top pixels.
type cells struct {
	columns, w, h, top int
}

// layout limits columns to n, and returns the grid with the size of the whole picture.
func layout(n, columns, w, h, top int) (cells, image.Point, error) {
	columns = min(max(columns, 1), n)
	rows := (n + columns - 1) / columns
	c := cells{columns, w, h, top}
	p := image.Pt(columns*w, rows*h+top)
	if int64(p.X)*int64(p.Y) > maxPixels {
		return c, p, errors.New("plot: too many panels for one picture")
	}
	return c, p, nil
}

func (c cells) rect(i int) image.Rectangle {
	x, y := (i%c.columns)*c.w, c.top+(i/c.columns)*c.h
	return image.Rect(x, y, x+c.w, y+c.h)
}
