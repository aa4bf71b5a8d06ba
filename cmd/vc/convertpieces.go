package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/spool"
)

// conversion takes a recording and gives the result, as vc.Conversion does.
type conversion interface {
	reader
	Write(x []float32) error
	Samples() int64
	Close() error
}

const (
	// longestGriffinLim and longestPicture are how long a recording may be of which all is kept in memory: 16 and 54 MB a minute.
	longestGriffinLim = 30 * time.Minute
	longestPicture    = 10 * time.Minute
)

func tooLongForMemory(flag string, most time.Duration) error {
	return fmt.Errorf("longer than %g minutes, and %s keeps all of a recording in memory: leave it away, or cut the recording", most.Minutes(), flag)
}

// copied is a conversion that changes the rate and nothing else: that of a low-frequency channel, which holds no voice.
type copied struct {
	from, to int // Hz
	in       *audio.Resampler
	given    int64
	sound    *spool.Floats
	out      *spool.FloatReader
	read     int64
	buf      []float32
}

// copiedInMemory is how many samples of a low-frequency channel stay in memory.
const copiedInMemory = 1 << 20

func newCopied(from, to int) (*copied, error) {
	r, err := audio.NewResampler(from, to)
	return &copied{from: from, to: to, in: r, sound: spool.NewFloats(copiedInMemory)}, err
}

func (c *copied) Write(x []float32) error {
	c.given += int64(len(x))
	c.buf = c.in.Process(c.buf[:0], x)
	return c.sound.Add(c.buf)
}

func (c *copied) Samples() int64 {
	return max(1, (2*c.given*int64(c.to)+int64(c.from))/int64(2*c.from))
}

func (c *copied) Read(_ context.Context, x []float32) (int, error) {
	if c.out == nil {
		if err := c.sound.Add(c.in.Flush(nil)); err != nil {
			return 0, err
		}
		c.out = c.sound.Floats()
	}
	n := int(min(int64(len(x)), c.Samples()-c.read))
	if n == 0 {
		return 0, io.EOF
	}
	have, err := c.out.Read(x[:n])
	if err != nil && err != io.EOF {
		return 0, err
	}
	clear(x[have:n])
	c.read += int64(n)
	return n, nil
}

func (c *copied) Close() error { return c.sound.Close() }

// incoming takes a recording into the conversions of its sides, of all channels if these are kept. Where the sides are mixed, it is known at the end how: until then
// there are conversions of the left, the right, and the average, in the order of audio.Side.
type incoming struct {
	w      *converting
	i      int           // number of the job
	voices []chosenVoice // one, or those of both sides
	sides  []conversion
	mixed  []float32 // scratch
	rate   int       // Hz
	given  int64     // samples of a side
}

// read reads a recording. A read from a pipe cannot be interrupted, so it is left behind when ctx ends, and the conversions with
// it; the process ends right after.
func (in *incoming) read(ctx context.Context, path string) (heard audio.Heard, left bool, err error) {
	pieces := audio.Pieces{Apart: in.w.o.apart(), Channels: in.w.o.channelsApart(), Begin: in.begin, Take: func(sides [][]float32) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return in.take(sides)
	}}
	if path != standardStream {
		heard, err = pieces.ReadFile(ctx, path)
		return heard, false, err
	}
	type result struct {
		heard audio.Heard
		err   error
	}
	read := make(chan result, 1)
	go func() {
		heard, err := pieces.ReadStream(ctx, in.w.env.stdin)
		read <- result{heard, err}
	}()
	select {
	case r := <-read:
		return r.heard, false, r.err
	case <-ctx.Done():
		return audio.Heard{}, true, ctx.Err()
	}
}

func (in *incoming) begin(heard audio.Heard) error {
	in.close()
	in.rate, in.given = heard.Rate, 0
	w, sides := in.w, heard.Sides
	if sides == 1 && len(in.voices) == 2 {
		return errors.New("it has one channel, and --to names voices for two sides: name one voice")
	}
	n := sides
	if sides == 2 && !w.o.apart() {
		n = 3
	}
	for side := range n {
		of, all := 0, 1
		if w.o.apart() {
			of, all = side, n
		}
		if heard.Layout.LowFrequency(side, sides) {
			if w.jobs[in.i].tempo != 0 {
				return errors.New("its low-frequency channel is kept as it is, and the others change their tempo: leave --channels keep out, or --flatten rate")
			}
			c, err := newCopied(heard.Rate, w.model.Features().SampleRate)
			if err != nil {
				return err
			}
			in.sides = append(in.sides, c)
			continue
		}
		c, err := w.model.NewConversion(heard.Rate, in.voices[min(side, len(in.voices)-1)].Voice, w.asked(in.i, of, all))
		if err != nil {
			return err
		}
		in.sides = append(in.sides, c)
	}
	return nil
}

func (in *incoming) take(sides [][]float32) error {
	in.given += int64(len(sides[0]))
	if most := in.w.longest; most > 0 && in.given > int64(most.Seconds())*int64(in.rate) {
		return tooLongForMemory("--vocoder "+string(vc.GriffinLim), most)
	}
	for side, c := range in.sides {
		in.mixed = audio.Side(side).Mix(in.mixed[:0], sides)
		if err := c.Write(in.mixed); err != nil {
			return err
		}
	}
	return nil
}

// choose drops the conversions that are not needed, now that it is known how the recording is mixed, and gives the others.
func (in *incoming) choose(heard audio.Heard) []conversion {
	if in.w.o.apart() || len(in.sides) != 3 {
		return in.sides
	}
	chosen := in.sides[heard.Mono]
	in.sides[heard.Mono] = nil
	in.close()
	in.sides = []conversion{chosen}
	return in.sides
}

func (in *incoming) close() {
	for _, c := range in.sides {
		if c != nil {
			c.Close()
		}
	}
	in.sides = nil
}

// reader gives samples, as vc.Conversion does.
type reader interface {
	Read(ctx context.Context, x []float32) (int, error)
}

// samples is a reader of what is there.
type samples struct{ left []float32 }

func (s *samples) Read(_ context.Context, x []float32) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(x, s.left)
	s.left = s.left[n:]
	return n, nil
}

// outgoing brings sides to a rate and lays them beside each other.
type outgoing struct {
	sides    []reader
	from, to int   // Hz
	frames   int64 // of the result
	layout   audio.Layout
}

const outgoingBlock = 1 << 13

func (o *outgoing) copyTo(ctx context.Context, e audio.Encoder) error {
	resamplers := make([]*audio.Resampler, len(o.sides))
	for i := range resamplers {
		var err error
		if resamplers[i], err = audio.NewResampler(o.from, o.to); err != nil {
			return err
		}
	}
	in := make([]float32, outgoingBlock)
	made := make([][]float32, len(o.sides))
	var block []float32
	given := int64(0)
	give := func() error {
		n := int(min(int64(len(made[0])), o.frames-given))
		block = block[:0]
		for t := range n {
			for _, x := range made {
				block = append(block, x[t])
			}
		}
		given += int64(n)
		return e.Write(block)
	}
	for {
		ended := false
		for i, side := range o.sides {
			n, err := side.Read(ctx, in)
			if err != nil && err != io.EOF {
				return err
			}
			made[i] = resamplers[i].Process(made[i][:0], in[:n])
			if ended = err == io.EOF; ended {
				made[i] = resamplers[i].Flush(made[i])
			}
		}
		if err := give(); err != nil {
			return err
		}
		if ended {
			break
		}
	}
	// Rounding twice, to the model's rate and from it, may be off by a sample.
	for given < o.frames {
		for i := range made {
			made[i] = append(made[i][:0], make([]float32, min(o.frames-given, outgoingBlock))...)
		}
		if err := give(); err != nil {
			return err
		}
	}
	return nil
}
