package server_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/starvc/vc/audio"
)

// current is the live stream of the page.
const current = `(await import('/studio/js/live.js')).current()`

// listenLive records what the page plays.
func (p *studio) listenLive(d time.Duration) audio.Clip {
	p.t.Helper()
	return p.sound(fmt.Sprintf(`const s = `+current+`;
		const got = new Promise((ok) => s.addEventListener('recorded', (e) => ok(e.detail), { once: true }));
		s.record(true);
		await new Promise((ok) => setTimeout(ok, %d));
		s.record(false);
		const { pieces, rate } = await got;
		const x = new Float32Array(pieces.length * 128);
		pieces.forEach((piece, i) => x.set(piece, 128 * i));
		return { rate, x };`, d.Milliseconds()))
}

func (p *studio) waitLive(state string) {
	p.t.Helper()
	p.wait("the line to be "+state, current+`?.state === '`+state+`'`)
}

// clicks are jumps between two samples such as speech does not have: a multiple of the usual difference nearby.
func clicks(x []float32) int {
	n := 0
	const around = 2400
	for i := around; i+around < len(x); i += around {
		var most, sum float64
		for k := i; k < i+around; k++ {
			d := math.Abs(float64(x[k+1]) - 2*float64(x[k]) + float64(x[k-1]))
			most = max(most, d)
			sum += d / around
		}
		if most > 0.3 && most > 60*sum {
			n++
		}
	}
	return n
}

// Speech goes into the microphone of the browser and comes out as the target's, when the page says; the voice
// changes on the way, and a line that broke is taken up again.
func TestBrowserLive(t *testing.T) {
	p := openStudio(t, nil)
	p.choose("lj")
	p.do(`location.hash = 'live'`)
	p.press("#view-live", "Start")
	p.waitLive("live")
	p.do(`window.notices = []; const s = ` + current + `;
		for (const type of ['state', 'notice']) {
			s.addEventListener(type, ({ detail: d }) => window.notices.push(d.words ?? d.state + ' ' + (d.reason ?? '')));
		}`)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the line said: %q", value[[]string](p, `window.notices`))
		}
	})
	p.wait("sound", current+`.playout.peak > 0.01`)

	judge := newListener(t)
	kathleen, lj := clip(t, "kathleen_arctic_a0344"), clip(t, "lj_LJ001-0132")
	heard := p.listenLive(4 * time.Second)
	if rms(heard.Samples) < 0.005 {
		t.Errorf("what comes out has RMS %.4f: silence", rms(heard.Samples))
	}
	to, from := judge.alike(heard, lj), judge.alike(heard, kathleen)
	t.Logf("live: %.2f like lj, %.2f like kathleen, who speaks", to, from)
	if to <= from {
		t.Errorf("what comes out is %.2f like lj and %.2f like kathleen", to, from)
	}

	// Another voice while it is spoken.
	p.choose("dirk")
	p.wait("the change of voice", current+`.voice === 'dirk'`)
	heard = p.listenLive(4 * time.Second)
	dirk := converted(t, speech(t), "dirk")
	if now, before := judge.alike(heard, dirk), judge.alike(heard, lj); now <= before {
		t.Errorf("after the change it is %.2f like dirk and %.2f like lj", now, before)
	} else {
		t.Logf("live, changed on the way: %.2f like dirk, %.2f like lj", now, before)
	}
	if n := clicks(heard.Samples); n > 0 {
		t.Errorf("%d clicks in what was heard", n)
	}

	// What the page says of the delay, and what bursts of sound need. A measurement during which sound was dropped,
	// as on a machine that others keep busy, is none, and the page says so.
	const wanted, tries = 3, 12
	var off []float64
	for range tries {
		m := value[struct {
			MeasuredMs, SaidMs, InsideMs, Fit float64
			Good                              bool
		}](p, `(await (async () => { const r = await (await import('/studio/js/live.js')).measure();
			return r ? { MeasuredMs: r.measuredMs, SaidMs: r.saidMs, InsideMs: r.insideMs, Fit: r.fit, Good: r.good } : {}; })())`)
		t.Logf("said %.0f ms, measured %.0f ms, counted %.0f ms inside the browser, fit %.2f", m.SaidMs, m.MeasuredMs, m.InsideMs, m.Fit)
		if m.Good {
			off = append(off, m.MeasuredMs-m.SaidMs)
		}
		if len(off) == wanted {
			break
		}
	}
	slices.Sort(off)
	disturbed := len(off) < wanted
	if disturbed { // the page throws such measurements away: of the delay they say nothing
		t.Logf("the delay was not measured, this machine is too busy: %d of %d measurements were undisturbed", len(off), tries)
	} else if math.Abs(off[wanted/2]) > 30 {
		t.Errorf("the delay differs from what the page says by %.0f ms, the median of %.0f", off[wanted/2], off)
	}

	if dir := os.Getenv("STUDIO_PICTURES"); dir != "" {
		p.pictures(dir, "live")
	}

	// The page itself may stand still: sound passes it by, from worklet to worker to worklet.
	busy := value[float64](p, `await (async () => {
		const s = `+current+`, played = () => s.context.currentTime, pieces = s.playout.played;
		const from = played();
		for (const end = performance.now() + 2000; performance.now() < end; );
		const lasted = played() - from;
		await new Promise((ok) => setTimeout(ok, 300));
		return (s.playout.played - pieces) / s.rate / lasted;
	})()`)
	if busy < 0.7 && disturbed {
		t.Logf("while the page was busy %.0f %% of the time was filled with sound, on a machine that others keep busy", 100*busy)
	} else if busy < 0.7 {
		t.Errorf("while the page was busy only %.0f %% of the time was filled with sound", 100*busy)
	}

	// Another output, and the system's own besides.
	p.do(`const [microphone, output] = document.querySelectorAll('.devices select');
		output.value = [...output.options].find((o) => o.value)?.value ?? '';
		output.dispatchEvent(new Event('change'));
		document.querySelector('.devices input[role=switch]').click();`)
	p.wait("the other output", current+`.context.sinkId === document.querySelectorAll('.devices select')[1].value`)
	p.wait("sound at the other output", current+`.playout.peak > 0.01`)
	contains(t, p.text(), "Live")

	// The line breaks.
	p.do(`const s = ` + current + `;
		window.states = []; s.addEventListener('state', (e) => window.states.push(e.detail.state)); s.cut();`)
	p.wait("the break to be seen", `window.states.includes('lost')`)
	p.waitLive("live")
	p.wait("sound again", current+`.playout.peak > 0.01`)

	// Muted, nothing comes out once what is under way has been heard.
	p.do(`document.dispatchEvent(new KeyboardEvent('keydown', { key: 'm', bubbles: true }))`)
	contains(t, p.text(), "Muted")
	time.Sleep(700 * time.Millisecond)
	if quiet := rms(p.listenLive(500 * time.Millisecond).Samples); quiet > 0.003 {
		t.Errorf("muted, the RMS is %.4f", quiet)
	}
	p.do(`document.dispatchEvent(new KeyboardEvent('keydown', { key: 'm', bubbles: true }))`)

	// With push to talk the microphone is open while the key is held.
	key := func(what string) {
		p.do(`document.dispatchEvent(new KeyboardEvent('` + what + `', { key: 'v', bubbles: true }))`)
	}
	p.do(`document.querySelector('input[name=talk][value=push]').click()`)
	contains(t, p.text(), "hold V to talk")
	key("keydown")
	p.wait("sound while the key is held", current+`.playout.peak > 0.01`)
	key("keyup")
	time.Sleep(700 * time.Millisecond)
	if quiet := rms(p.listenLive(500 * time.Millisecond).Samples); quiet > 0.003 {
		t.Errorf("with the key released the RMS is %.4f", quiet)
	}
	p.press("#view-live", "Stop")
	p.wait("the end", `!`+current+``)
}
