package server_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/server"
	"github.com/starvc/vc/internal/server/page"
)

// The tests of the page drive Debian's Chromium, whose microphone is a file.

const browserPatience = 8 * time.Minute

var studioModel = sync.OnceValues(vc.Base)

// studio is a page of a server of its own, in a browser of its own.
type studio struct {
	t   testing.TB
	ctx context.Context
}

// clip reads a recording that comes with the source.
func clip(t testing.TB, name string) audio.Clip {
	t.Helper()
	c, err := audio.ReadFile(filepath.Join("..", "..", "testdata", "clips", name+".flac"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// speech is what Kathleen says into the browser's microphone, over and over.
func speech(t testing.TB) audio.Clip {
	const rate = 48000
	var x []float32
	for _, name := range []string{"kathleen_arctic_a0344", "kathleen_arctic_a0504", "kathleen_arctic_a0544"} {
		c := clip(t, name)
		x = append(x, audio.Resample(c.Samples, c.Rate, rate)...)
	}
	return audio.Clip{Samples: x, Rate: rate}
}

// openStudio starts a server as change wants it and opens its page. Without Chromium the test is skipped.
func openStudio(t *testing.T, change func(*server.Config)) *studio {
	t.Helper()
	if testing.Short() {
		t.Skip("short: no browser")
	}
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("no Chromium on the PATH (apt-get install chromium)")
	}
	dir := t.TempDir()
	microphone := filepath.Join(dir, "microphone.wav")
	if err := audio.WriteFile(microphone, speech(t)); err != nil {
		t.Fatal(err)
	}
	model, err := studioModel()
	if err != nil {
		t.Fatal(err)
	}
	c := server.DefaultConfig()
	c.Version, c.Model, c.ModelName, c.Data = "test", model, "base", filepath.Join(dir, "data")
	c.Studio, c.Page, c.Policy, c.Sentences = true, page.Files(), page.Policy, page.Sentences()
	c.SampleClip = func() (audio.Clip, error) {
		return audio.ReadFile(filepath.Join("..", "..", "testdata", "clips", "kathleen_arctic_a0344.flac"))
	}
	if change != nil {
		change(&c)
	}
	s, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(serving, listener, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	})

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.NoSandbox,
		chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-audio-capture", microphone), chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("host-resolver-rules", "MAP studio.test 127.0.0.1"), chromedp.WindowSize(1280, 900))
	ctx, cancel := context.WithTimeout(context.Background(), browserPatience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	p := &studio{t: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", browser, err)
	}
	// Nothing that the page throws may go unseen.
	err = chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*runtime.EventExceptionThrown); ok {
			words, _ := json.Marshal(e.ExceptionDetails)
			t.Errorf("the page threw: %s", words)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, runtime.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate("http://"+listener.Addr().String()+"/studio/")); err != nil {
		t.Fatal(err)
	}
	p.wait("the voices", `document.querySelectorAll('.voice').length > 30`)
	return p
}

// do runs a script and waits for what it promises.
func (p *studio) do(script string) {
	p.t.Helper()
	err := chromedp.Do(p.ctx, chromedp.Evaluate[chromedp.Void]("(async () => {"+script+"})()", chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%v\nin: %s\nthe page says: %s", err, script, p.text())
	}
}

// evaluate gives an expression's value, and an error where it threw or the page was left meanwhile.
func evaluate[T any](p *studio, expression string) (T, error) {
	return chromedp.Run(p.ctx, chromedp.Evaluate[T]("(async () => ("+expression+"))()", chromedp.EvalAwaitPromise))
}

// value is what an expression gives.
func value[T any](p *studio, expression string) T {
	p.t.Helper()
	v, err := evaluate[T](p, expression)
	if err != nil {
		p.t.Fatalf("%v\nin: %s\nthe page says: %s", err, expression, p.text())
	}
	return v
}

// text is what stands on the page.
func (p *studio) text() string {
	const all = `['work', 'toasts'].map((id) => document.getElementById(id)?.innerText ?? '').join('\n')`
	s, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](all))
	if err != nil {
		return err.Error()
	}
	return s
}

// wait waits until an expression is true. One that fails counts as not yet true: a page that is just being left has no elements, or ends
// the evaluation.
func (p *studio) wait(what, expression string) {
	p.t.Helper()
	const patience = 3 * time.Minute // on a machine that others keep busy
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		is, err := evaluate[bool](p, "!!("+expression+")")
		if err == nil && is {
			return
		}
		if time.Since(begin) > patience || p.ctx.Err() != nil {
			p.t.Fatalf("%s: not within %v (the last failure: %v)\nin: %s\nthe page says: %s", what, patience, err, expression, p.text())
		}
	}
}

// choose clicks on a voice.
func (p *studio) choose(id string) {
	p.t.Helper()
	p.do(`document.querySelector('.voice input[value="` + id + `"]').click()`)
}

// press clicks on the button inside within that shows or is called words.
func (p *studio) press(within, words string) {
	p.t.Helper()
	p.do(`const called = (b) => (b.getAttribute('aria-label') ?? b.textContent).trim();
		const b = [...document.querySelectorAll('` + within + ` button, ` + within + ` a')].find((b) => called(b).startsWith('` + words + `'));
		if (!b) throw new Error('no button ` + words + `');
		if (b.disabled) throw new Error('the button ` + words + ` is off');
		b.click();`)
}

// asBase64 is a script's function that packs samples as 32-bit floats.
const asBase64 = `const pack = (x) => {
	const b = new Uint8Array(x.buffer, x.byteOffset, x.byteLength);
	let s = '';
	for (let i = 0; i < b.length; i += 4096) s += String.fromCharCode(...b.subarray(i, i + 4096));
	return btoa(s);
};`

// sound runs a script that returns {rate, x}, x a Float32Array.
func (p *studio) sound(script string) audio.Clip {
	p.t.Helper()
	got := value[struct {
		Rate int
		X    string
	}](p, `await (async () => {`+asBase64+`
		const { rate, x } = await (async () => {`+script+`})();
		return { Rate: rate, X: pack(x) };
	})()`)
	b, err := base64.StdEncoding.DecodeString(got.X)
	if err != nil {
		p.t.Fatal(err)
	}
	c := audio.Clip{Rate: got.Rate, Samples: make([]float32, len(b)/4)}
	for i := range c.Samples {
		c.Samples[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return c
}

func rms(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(max(1, len(x))))
}

// listener tells how alike two recordings sound.
type listener struct {
	t     testing.TB
	judge *judge.Judge
}

func newListener(t testing.TB) listener {
	t.Helper()
	r, err := base.Open(base.Judge)
	if err != nil {
		t.Fatal(err)
	}
	j, err := judge.Read(r)
	if err != nil {
		t.Fatal(err)
	}
	return listener{t, j}
}

func (l listener) alike(a, b audio.Clip) float64 {
	l.t.Helper()
	var embedded [2][]float32
	for i, c := range []audio.Clip{a, b} {
		e, err := l.judge.EmbedClip(c)
		if err != nil {
			l.t.Fatal(err)
		}
		embedded[i] = e
	}
	return judge.Similarity(embedded[0], embedded[1])
}

// converted is what the model makes of a recording, without a page.
func converted(t testing.TB, c audio.Clip, name string) audio.Clip {
	t.Helper()
	m, err := studioModel()
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.Voice(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Convert(context.Background(), c, v, vc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Clip
}

func contains(t testing.TB, text, words string) {
	t.Helper()
	if !strings.Contains(text, words) {
		t.Errorf("the page does not say %q: %s", words, text)
	}
}
