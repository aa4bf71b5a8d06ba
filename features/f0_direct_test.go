package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTrackPiecesIsDirect holds TrackRecording and TrackPieces against a version that keeps all frames and looks back from the end.
func TestTrackPiecesIsDirect(t *testing.T) {
	t.Parallel()
	for _, cfg := range configs(t) {
		x := slices.Concat(speech(t), make([]float32, cfg.SampleRate/2), whiteNoise(3, cfg.SampleRate, 0.1), harmonics(cfg.SampleRate, 3, 120, 1, 20), speech(t))
		for _, n := range []int{0, 1, 159, cfg.Hop, 5000, len(x)} {
			x := x[:n]
			want := directTrack(cfg, x)
			if got := TrackRecording(cfg, x); !slices.Equal(got, want) {
				t.Errorf("%d Hz, %d samples: TrackRecording gives others", cfg.SampleRate, n)
			}
			for _, piece := range []int{cfg.Hop - 1, 4096, len(x) + 1} {
				got, err := TrackPieces(cfg, n, 100, func(take func([]float32) error) error {
					for c := range slices.Chunk(x, piece) {
						if err := take(c); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%d Hz, %d samples in pieces of %d: others, error %v", cfg.SampleRate, n, piece, err)
				}
			}
		}
	}
}

// TestDeciderForgets gives the second pass an hour of random moments: it gives what one that keeps all gives, and keeps little.
func TestDeciderForgets(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	direct := make([]directMoment, 100000)
	d := f0Decider{middle: 6}
	most := 0
	for i := range direct {
		m := &direct[i]
		m.odds, m.count, m.silent = 8*rng.NormFloat64(), rng.IntN(f0Candidates+1), rng.IntN(50) == 0
		for k := range m.count {
			m.lag[k], m.score[k] = float32(4+4*rng.Float64()), rng.Float32()
		}
		d.process(&f0Moment{m.odds, m.count, m.lag, m.score, m.silent})
		most = max(most, len(d.pending))
	}
	got := d.end()
	for i, want := range directDecide(direct, 6) {
		lag := 0.0
		if got[i] != noLag {
			lag = math.Exp2(float64(got[i]))
		}
		if lag != want {
			t.Fatalf("frame %d: lag %g, want %g", i, lag, want)
		}
	}
	if most > 4*f0Together {
		t.Errorf("%d frames were kept", most)
	}
}

func TestTrackPiecesErrors(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	for fails := range 2 {
		calls := 0
		_, err := TrackPieces(cfg, 100000, 0, func(take func([]float32) error) error {
			if calls++; calls > fails {
				return fmt.Errorf("pass %d", calls)
			}
			return take(make([]float32, 100000))
		})
		if err == nil {
			t.Errorf("pass %d fails, and nothing is said", fails+1)
		}
	}
}

// directMoment is f0Moment with the way back.
type directMoment struct {
	odds   float64
	count  int
	lag    [f0Candidates]float32
	score  [f0Candidates]float32
	from   [f0Candidates + 1]int8
	silent bool
}

func directTrack(cfg Config, x []float32) []float32 {
	moments, middle := directListen(cfg, x)
	lags := directDecide(moments, middle)
	return directRefine(cfg, x, lags)
}

// directListen is the first pass. middle is the median of log2 of the lags that it decided on, NaN where there is no voice.
func directListen(cfg Config, x []float32) (moments []directMoment, middle float64) {
	p := newF0Tracker(cfg, f0Back)
	var late f0Path
	late.init(&p.corr)
	moments = make([]directMoment, cfg.NumFrames(len(x)))
	var decided []float64
	var zeros [64]float32
	for now := 0; now < len(moments)+f0Back; {
		piece := x
		if len(piece) == 0 {
			piece = zeros[:]
		}
		n := min(len(piece), p.untilFrame())
		p.take(piece[:n])
		x = x[min(n, len(x)):]
		if p.untilFrame() > 0 {
			continue
		}
		hz := p.emit()
		if now < len(moments) {
			moments[now].odds, moments[now].silent = p.voice.odds, p.corr.wideLevels[0] <= f0SilenceDB
			if hz > 0 {
				decided = append(decided, math.Log2(p.front.rate/float64(hz)))
			}
		}
		if t := now - f0Back; t >= 0 {
			p.corr.around(float64(t*cfg.Hop)/float64(p.front.decimation), f0BackSec)
			late.gather(&p.corr)
			m := &moments[t]
			m.count = late.nowLen
			for i, q := range late.now[:late.nowLen] {
				m.lag[i], m.score[i] = float32(math.Log2(q.lag)), float32(q.score)
			}
		}
		now++
	}
	if len(decided) == 0 {
		return moments, math.NaN()
	}
	slices.Sort(decided)
	return moments, decided[len(decided)/2]
}

// directDecide is the second pass: the lag of every frame in decimated samples, 0 for no voice.
func directDecide(moments []directMoment, middle float64) []float64 {
	const none = f0Candidates
	var was, now [f0Candidates + 1]float64
	for t := range moments {
		m := &moments[t]
		voice := f0OddsBias
		for k, w := range f0OddsTaps {
			odds := -f0OddsLimit // before the beginning and after the end
			if at := t + k - 2; at >= 0 && at < len(moments) {
				odds = min(max(moments[at].odds, -f0OddsLimit), f0OddsLimit)
			}
			voice += f0OddsWeight * w * odds
		}
		if m.silent {
			voice = math.Inf(-1)
		}
		var before *directMoment
		voices := 0
		if t > 0 {
			before = &moments[t-1]
			voices = before.count
		}
		now[none], m.from[none] = was[none], none
		for j := range voices {
			if way := was[j] - f0Switch; way > now[none] {
				now[none], m.from[none] = way, int8(j)
			}
		}
		for i := range m.count {
			lag := float64(m.lag[i])
			best, from := was[none]-f0Switch, int8(none)
			for j := range voices {
				if way := was[j] - min(f0LeapMost, f0Leap*math.Abs(lag-float64(before.lag[j]))); way > best {
					best, from = way, int8(j)
				}
			}
			price := 0.0
			if middle-middle == 0 {
				price = f0High*max(0, middle-lag-f0HighRange) + f0Deep*max(0, lag-middle-f0DeepRange)
			}
			now[i], m.from[i] = best+voice+float64(m.score[i])+f0Refund*(lag-6)-price, from
		}
		top := now[none]
		for _, v := range now[:m.count] {
			top = max(top, v)
		}
		for i := range now {
			was[i] = now[i] - top // a sum over hours would lose its fraction
		}
	}
	lags := make([]float64, len(moments))
	at := int8(none)
	if n := len(moments); n > 0 {
		for i := range moments[n-1].count {
			if was[i] > was[at] {
				at = int8(i)
			}
		}
	}
	for t := len(moments) - 1; t >= 0; t-- {
		if at != none {
			lags[t] = math.Exp2(float64(moments[t].lag[at]))
		}
		at = moments[t].from[at]
	}
	return lags
}

// directRefine finds the periods near the lags at the full rate.
func directRefine(cfg Config, x []float32, lags []float64) []float32 {
	var front f0Front
	front.init(cfg)
	f0 := make([]float32, len(lags))
	position := 0
	for t, lag := range lags {
		if lag == 0 {
			continue
		}
		centre := t * cfg.Hop
		for end := centre + cfg.WinLength/2 + f0Back*cfg.Hop; position < end; position++ {
			v := 0.0
			if position < len(x) {
				v = float64(x[position])
			}
			front.push(v)
		}
		period, _ := front.refine(lag*float64(front.decimation), centre, position, 1)
		f0[t] = float32(min(max(float64(cfg.SampleRate)/period, cfg.F0MinHz), cfg.F0MaxHz))
	}
	return f0
}
