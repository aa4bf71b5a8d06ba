package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/backlog"
	"github.com/starvc/vc/internal/untrained"
)

// The tests of delay run in the fake time of package synctest: sound that goes through unchanged carries its own number.

const numberedRate = 16000

// numbered is sound whose sample i says that it is the i-th, as f32le.
func numbered(from, to int) []byte {
	var b []byte
	for i := from; i < to; i++ {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(0.25+float32(i)/(1<<21)))
	}
	return b
}

func numberOf(b []byte) float64 {
	return (float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) - 0.25) * (1 << 21)
}

// stalls are the times in which the program stands still.
type stalls []struct{ from, lasts time.Duration }

func (s stalls) wait(start time.Time) {
	for _, stall := range s {
		if d := time.Since(start); d >= stall.from && d < stall.from+stall.lasts {
			time.Sleep(stall.from + stall.lasts - d)
		}
	}
}

// recorder gives numbered sound in real time from start on. What is not read waits, as far as there is room for it; what comes
// when there is none is lost.
type recorder struct {
	start  time.Time
	stalls stalls
	every  time.Duration // between its pieces
	room   time.Duration
	lasts  time.Duration

	mu   sync.Mutex
	come *sync.Cond
	b    []byte
	end  bool
}

func (r *recorder) run() {
	last := 0
	for at := r.every; at <= r.lasts; at += r.every {
		time.Sleep(time.Until(r.start.Add(at)))
		n := backlog.Samples(at, numberedRate)
		r.mu.Lock()
		if room := 4 * backlog.Samples(r.room, numberedRate); len(r.b) < room {
			r.b = append(r.b, numbered(last, n)...)
		}
		last = n
		r.mu.Unlock()
		r.come.Signal()
	}
	r.mu.Lock()
	r.end = true
	r.mu.Unlock()
	r.come.Signal()
}

func (r *recorder) Read(p []byte) (int, error) {
	r.mu.Lock()
	for len(r.b) == 0 && !r.end {
		r.come.Wait()
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	r.mu.Unlock()
	r.stalls.wait(r.start)
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// player plays what it gets in real time, at once unless it has something to play, and takes the time from the recording of each
// sample to its playing.
type player struct {
	start  time.Time
	stalls stalls
	ends   time.Time
	heard  []heard
}

type heard struct{ at, late time.Duration }

func (p *player) Write(b []byte) (int, error) {
	p.stalls.wait(p.start)
	if now := time.Now(); p.ends.Before(now) {
		p.ends = now
	}
	for i := 0; i < len(b); i += 4 {
		at := p.ends.Sub(p.start) + backlog.Lasting(i/4, numberedRate)
		recorded := time.Duration(numberOf(b[i:]) / numberedRate * float64(time.Second))
		p.heard = append(p.heard, heard{at, at - recorded})
	}
	p.ends = p.ends.Add(backlog.Lasting(len(b)/4, numberedRate))
	return len(b), nil
}

// unchanged is a stream that gives its input back unchanged, as late as it would be converted.
func unchanged(t *testing.T, m *vc.Model, latency string, p backlog.Pace, in io.Reader, out io.Writer) *live {
	t.Helper()
	setting, err := findLatency(latency)
	if err != nil {
		t.Fatal(err)
	}
	e := testEnv()
	e.stdin, e.stdout = in, out
	l := &live{env: e, model: m, quiet: true, set: settings{gateDB: -300, strength: 1}}
	l.begin = beginning{voice: m.SpeakerVoice(0), pace: p, maxDelay: defaultMaxDelay}
	if err := l.open(setting, pipeFormat{audio.F32LE, numberedRate, 1}); err != nil {
		t.Fatal(err)
	}
	return l
}

func tinyModel() *vc.Model { return vc.New(untrained.Model(gan.Tiny(), 1, 1)) }

// The delay is what the stream says some seconds after it began with a backlog, and 10 s after each time it stood still.
func TestDelayIsKept(t *testing.T) {
	const tolerance = 15 * time.Millisecond
	standstills := stalls{{8 * time.Second, 200 * time.Millisecond}, {20 * time.Second, time.Second}, {32 * time.Second, 5 * time.Second}}
	for _, c := range []struct {
		name, latency string
		every, room   time.Duration
		pace          backlog.Pace
		settled       time.Duration // after the beginning
	}{
		{"by pace", "low", 5 * time.Millisecond, time.Hour, backlog.Pace{}, 6 * time.Second},
		{"by pace", "normal", 5 * time.Millisecond, time.Hour, backlog.Pace{}, 6 * time.Second},
		{"told, and the recorder loses sound", "low", 10 * time.Millisecond, 700 * time.Millisecond, backlog.Pace{Fixed: true, Live: true}, time.Second},
		{"told, and the recorder loses sound", "normal", 10 * time.Millisecond, 700 * time.Millisecond, backlog.Pace{Fixed: true, Live: true}, time.Second},
	} {
		t.Run(c.latency+" "+c.name, func(t *testing.T) {
			m := tinyModel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r := &recorder{start: start, stalls: standstills, every: c.every, room: c.room, lasts: 50 * time.Second}
				r.come = sync.NewCond(&r.mu)
				go r.run()
				time.Sleep(1500 * time.Millisecond) // of loading
				p := &player{start: start, stalls: standstills}
				l := unchanged(t, m, c.latency, c.pace, r, p)
				said := l.stream.Delay(l.pieces)
				if err := l.run(context.Background()); err != nil {
					t.Fatal(err)
				}
				check := func(from, to time.Duration) {
					least, most, n := time.Hour, time.Duration(0), 0
					for _, h := range p.heard {
						if h.at >= from && h.at < to {
							least, most, n = min(least, h.late), max(most, h.late), n+1
						}
					}
					t.Logf("from %v to %v: said %v, heard %v to %v", from, to, said, least, most)
					// Beside what is said, the recorder keeps sound until a piece of its own is complete.
					if n < backlog.Samples(to-from, numberedRate)-2 || least < said-tolerance || most > said+tolerance {
						t.Errorf("from %v to %v %d samples were heard", from, to, n)
					}
				}
				from := 1500*time.Millisecond + c.settled
				for _, s := range standstills {
					check(from, s.from)
					from = s.from + s.lasts + 10*time.Second
				}
				check(from, 50*time.Second)
			})
		})
	}
}

// However long the program has loaded, the delay is what the stream says soon after it began, whether its player takes all sound at
// once or holds it up, and however long the conversion takes. Small delay is dropped later, since it may be needed.
func TestDelayAfterLongLoading(t *testing.T) {
	const settled, exact = 6 * time.Second, 10 * time.Second // after the beginning
	for _, loading := range []time.Duration{1500 * time.Millisecond, 4500 * time.Millisecond, 15 * time.Second, 30 * time.Second} {
		for _, c := range []struct {
			name        string
			every, room time.Duration // of the recorder
			ahead       time.Duration // so much the player takes before its time
			rtf         float64       // of the conversion
		}{
			{"a player that takes all", 5 * time.Millisecond, time.Hour, time.Hour, 0},
			{"a player that is held up", 5 * time.Millisecond, time.Hour, 500 * time.Millisecond, 0},
			{"a player that is soon held up", 5 * time.Millisecond, time.Hour, 50 * time.Millisecond, 0},
			{"a slow conversion", 5 * time.Millisecond, time.Hour, 500 * time.Millisecond, 0.6},
			{"a recorder that loses sound", 10 * time.Millisecond, 700 * time.Millisecond, 500 * time.Millisecond, 0.3},
		} {
			t.Run(fmt.Sprintf("%v %s", loading, c.name), func(t *testing.T) {
				m := tinyModel()
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					r := &recorder{start: start, every: c.every, room: c.room, lasts: loading + exact + 5*time.Second}
					r.come = sync.NewCond(&r.mu)
					go r.run()
					time.Sleep(loading)
					p := &slowPlayer{player: player{start: start}, ahead: c.ahead, rtf: c.rtf}
					l := unchanged(t, m, "normal", backlog.Pace{}, r, p)
					said := l.stream.Delay(l.pieces)
					if err := l.run(context.Background()); err != nil {
						t.Fatal(err)
					}
					setting, _ := findLatency("normal")
					converting := time.Duration(c.rtf * float64(setting.Chunk))
					check := func(from, to, tolerance time.Duration) {
						least, most, n := time.Hour, time.Duration(0), 0
						for _, h := range p.heard {
							if h.at >= from && h.at < to {
								least, most, n = min(least, h.late), max(most, h.late), n+1
							}
						}
						t.Logf("from %v to %v: said %v, heard %v to %v", from, to, said, least, most)
						// A player waits once until the conversion is ahead.
						want := to - from
						if c.rtf > 0 {
							want -= c.every + converting
						}
						if n < backlog.Samples(want, numberedRate)-2 || least < said-15*time.Millisecond || most > said+tolerance {
							t.Errorf("from %v to %v %d samples were heard", from, to, n)
						}
					}
					check(loading+settled, loading+exact, 75*time.Millisecond+converting)
					check(loading+exact, r.lasts, 15*time.Millisecond+converting)
				})
			})
		}
	}
}

// slowPlayer stands for a conversion that takes time and a player that takes only so much sound before its time.
type slowPlayer struct {
	player
	ahead time.Duration
	rtf   float64
}

func (p *slowPlayer) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(p.rtf * float64(backlog.Lasting(len(b)/4, numberedRate))))
	n, err := p.player.Write(b)
	time.Sleep(time.Until(p.ends.Add(-p.ahead)))
	return n, err
}

// A recorder that gives sound in large pieces loses nothing by it, but for as much as the first, which might have piled up.
func TestLargePiecesAreNotDropped(t *testing.T) {
	for _, every := range []time.Duration{340 * time.Millisecond, 1020 * time.Millisecond} {
		m := tinyModel()
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			r := &recorder{start: start, every: every, room: time.Hour, lasts: 15 * time.Second}
			r.come = sync.NewCond(&r.mu)
			go r.run()
			var out bytes.Buffer
			l := unchanged(t, m, "normal", backlog.Pace{Fixed: true, Live: true}, r, &out)
			if err := l.run(context.Background()); err != nil {
				t.Fatal(err)
			}
			want := numbered(backlog.Samples(2*every, numberedRate), backlog.Samples(15*time.Second/every*every, numberedRate))
			if !bytes.HasSuffix(out.Bytes(), want) {
				t.Errorf("every %v: of %d samples behind the second piece not all came out", every, len(want)/4)
			}
		})
	}
}

// pacedReader gives data at so many times the pace of real time, 0 for at once.
type pacedReader struct {
	r    *bytes.Reader
	pace float64
}

func (r pacedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p[:min(len(p), 1280)])
	if r.pace > 0 {
		time.Sleep(time.Duration(float64(backlog.Lasting(n/4, numberedRate)) / r.pace))
	}
	return n, err
}

// pacedWriter takes as a player does: at most half a second ahead.
type pacedWriter struct {
	bytes.Buffer
	player
}

func (w *pacedWriter) Write(b []byte) (int, error) {
	w.Buffer.Write(b)
	n, err := w.player.Write(b)
	time.Sleep(time.Until(w.ends.Add(-500 * time.Millisecond)))
	return n, err
}

// A file loses not one sample, whether what comes before or behind the stream is fast or slow.
func TestFilesLoseNothing(t *testing.T) {
	m := tinyModel()
	data := numbered(0, 70*numberedRate+77) // more than is read ahead
	for _, speed := range []float64{0, 30, 2, 1.1, 0.8} {
		for _, played := range []bool{false, true} {
			t.Run(fmt.Sprintf("pace %g, played %t", speed, played), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var out interface {
						io.Writer
						Bytes() []byte
					} = &bytes.Buffer{}
					if played {
						out = &pacedWriter{player: player{start: time.Now()}}
					}
					l := unchanged(t, m, "low", backlog.Pace{}, pacedReader{bytes.NewReader(data), speed}, out)
					if err := l.run(context.Background()); err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(out.Bytes(), data) {
						t.Errorf("%d samples came out of %d, or not the same", len(out.Bytes())/4, len(data)/4)
					}
				})
			})
		}
	}
}
