package nn

import "fmt"

// Arena hands out pieces of one allocation. Pieces start on cache lines relative to each other, are zero, and live as
// long as the arena.
type Arena struct {
	buf      []float32
	used     int
	counting bool
}

// cacheLine is in float32s.
const cacheLine = 16

// NewArena runs build twice: first to count what it takes, with an arena whose pieces are nil, then to hand out
// pieces of an allocation of just that length. Build must take the same pieces both times and must not look into
// them.
func NewArena(build func(a *Arena)) *Arena {
	a := &Arena{counting: true}
	build(a)
	a = &Arena{buf: make([]float32, a.used)}
	build(a)
	return a
}

// Take gives n float32s.
func (a *Arena) Take(n int) []float32 {
	start := a.used
	a.used += (n + cacheLine - 1) / cacheLine * cacheLine
	if a.counting {
		return nil
	}
	if a.used > len(a.buf) {
		panic(fmt.Sprintf("nn: arena of %d is %d too short", len(a.buf), a.used-len(a.buf)))
	}
	return a.buf[start : start+n : start+n]
}

// Len is the length of the allocation in float32s.
func (a *Arena) Len() int { return len(a.buf) }

// Reset makes everything zero that was handed out.
func (a *Arena) Reset() { clear(a.buf) }

// Window is the memory of a convolution over time: the last past frames of a stream, and room for new ones behind
// them. It starts as zeros.
type Window struct {
	buf         []float32 // [past+room, width]
	past, width int

	gathered, made []float32 // scratch of a dilated convolution, see Depthwise.forwardApart
}

// NewWindow takes a window out of the arena.
func NewWindow(a *Arena, past, room, width int) Window {
	return Window{buf: a.Take((past + room) * width), past: past, width: width}
}

// Push appends frames new frames, x [frames, width], and gives the past and the new ones together,
// [past+frames, width]. The view is valid until Drop.
func (w *Window) Push(x []float32, frames int) []float32 {
	view := w.buf[:(w.past+frames)*w.width]
	copy(view[w.past*w.width:], x[:frames*w.width])
	return view
}

// Drop forgets the oldest frames after a Push of as many.
func (w *Window) Drop(frames int) {
	copy(w.buf[:w.past*w.width], w.buf[frames*w.width:(frames+w.past)*w.width])
}

// Reset forgets all.
func (w *Window) Reset() { clear(w.buf) }
