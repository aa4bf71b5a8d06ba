package bench

import (
	"context"
	"github.com/starvc/vc"
	"runtime"
	"time"
)

// warmUp is how much sound goes through a stream before it is measured.
const warmUp = time.Second

func (r *Report) measureStreams(ctx context.Context, o Options) error {
	for _, s := range o.Settings {
		figures, err := measureStream(ctx, o, s)
		if err != nil {
			return err
		}
		r.Streams = append(r.Streams, figures)
	}
	return nil
}

func measureStream(ctx context.Context, o Options, s Setting) (Stream, error) {
	m := vc.New(o.Model)
	stream, err := m.NewStream(m.SpeakerVoice(0), s.Stream)
	if err != nil {
		return Stream{}, err
	}
	rate := s.Stream.InputRate
	pieces := stream.Pieces(s.Chunk)
	f := Stream{
		Name: s.Name, Rate: rate, ChunkMS: ms(s.Chunk), LookAhead: s.Stream.LookAhead, DelayMS: ms(stream.Delay(pieces)),
	}
	x := Voice(rate, int((o.Duration+warmUp).Seconds()*float64(rate)))
	y := make([]float32, 0, 4*s.Stream.OutputRate)
	wall := make([]time.Duration, 0, int(o.Duration/s.Chunk)+2)
	cpu := make([]time.Duration, 0, cap(wall))
	var before, after runtime.MemStats
	var wallSum, cpuSum time.Duration
	at, begun := 0, 0
	for {
		n := pieces.Next()
		if at+n > len(x) || len(wall) == cap(wall) {
			break
		}
		if begun == 0 && at >= rate*int(warmUp/time.Second) {
			runtime.GC()
			runtime.ReadMemStats(&before)
			begun = at
		}
		t := start()
		y = stream.Process(y[:0], x[at:at+n])
		w, c := t.times()
		at += n
		if begun > 0 {
			wall, cpu = append(wall, w), append(cpu, c)
			wallSum, cpuSum = wallSum+w, cpuSum+c
		}
		if err := ctx.Err(); err != nil {
			return f, err
		}
	}
	runtime.ReadMemStats(&after)
	sound := time.Duration(float64(at-begun) / float64(rate) * float64(time.Second))
	f.RTF, f.CPURTF = ratio(wallSum, sound), ratio(cpuSum, sound)
	f.Wall, f.CPU = percentiles(wall), percentiles(cpu)
	f.AllocationsAChunk = float64(after.Mallocs-before.Mallocs) / float64(len(wall))
	return f, nil
}
