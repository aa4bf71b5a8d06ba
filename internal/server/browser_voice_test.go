package server_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/server"
	"github.com/starvc/vc/internal/untrained"
)

// A voice is read into the browser's microphone and trained for a few steps, over a reload of the page, a stop and
// going on; then it is among the voices and a recording is converted to it. What a few steps on a model that knows
// nothing teach is not looked at.
func TestBrowserOwnVoice(t *testing.T) {
	t.Parallel() // unlike the live one, which needs the cores in time
	const steps = 6
	p := openStudio(t, func(c *server.Config) {
		dir := t.TempDir()
		program, start := filepath.Join(dir, "vc"), filepath.Join(dir, "tiny.safetensors")
		build := exec.Command("go", "build", "-o", program, "../../cmd/vc")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building vc: %v\n%s", err, out)
		}
		if err := untrained.Model(gan.Tiny(), 2, 1).Save(start, gan.Full); err != nil {
			t.Fatal(err)
		}
		c.Train = func(r server.TrainRequest) *exec.Cmd {
			args := []string{"train", "--run", r.Run, "--device", "go"}
			if r.Resume {
				args = append(args, "--resume")
			} else {
				args = append(args, "--init", start, "--speakers", r.Speakers, "--output", r.Output, "--steps", strconv.Itoa(r.Steps))
			}
			return exec.Command(program, args...)
		}
	})
	p.do(`history.replaceState(null, '', '?steps=` + strconv.Itoa(steps) + `#mine'); dispatchEvent(new HashChangeEvent('hashchange'))`)
	p.wait("the form", `document.querySelector('#view-mine form')`)
	p.do(`const f = document.querySelector('#view-mine form'); f.querySelector('input').value = 'Katie'; f.requestSubmit()`)
	for _, sentence := range []string{"1", "2", "3"} {
		p.wait("sentence "+sentence, `document.querySelector('.reader')?.innerText.includes('Sentence `+sentence+` of 40')`)
		p.do(`document.activeElement.blur(); document.dispatchEvent(new KeyboardEvent('keydown', { key: ' ', bubbles: true }))`)
		p.wait("the recording", `document.querySelector('.reader .go').textContent.includes('I have read it')`)
		p.do(`await new Promise((ok) => setTimeout(ok, 3500)); document.querySelector('.reader .go').click()`)
		p.wait("the verdict on sentence "+sentence, `/is good|take it again/.test(document.querySelector('.verdict').textContent)`)
	}
	contains(t, p.text(), "3 good recordings")
	if dir := os.Getenv("STUDIO_PICTURES"); dir != "" {
		p.pictures(dir, "reading")
	}
	p.press("#view-mine", "Learn this voice")
	p.wait("the first step", `/step [1-9]\d* of/.test(document.getElementById('view-mine').innerText)`)

	// The training is the server's child: a reload of the page is nothing to it.
	if err := chromedp.Do(p.ctx, chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
	p.wait("the training after a reload", `document.getElementById('view-mine').innerText.includes('Learning: step')`)
	p.press("#view-mine", "Stop and save")
	p.wait("the stop", `document.getElementById('view-mine').innerText.includes('Stopped at step')`)
	p.press("#view-mine", "Go on")
	p.wait("the end", `document.getElementById('view-mine').innerText.includes('Learnt.')`)
	if dir := os.Getenv("STUDIO_PICTURES"); dir != "" {
		p.pictures(dir, "learnt")
	}
	p.wait("its card", `[...document.querySelectorAll('.voice .name')].some((n) => n.textContent.includes('Katie'))`)
	p.press("#view-mine", "Use it")
	p.wait("the voice chosen", `document.querySelector('.voice:has(input:checked) .name')?.textContent.includes('Katie')`)
	file, err := filepath.Abs(filepath.Join("..", "..", "testdata", "clips", "lj_LJ001-0132.flac"))
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(p.ctx, chromedp.SetUploadFiles(chromedp.CSS("#view-convert input[type=file]"), []string{file})); err != nil {
		t.Fatal(err)
	}
	p.wait("the conversion", `document.querySelector('.job')?.dataset.state === 'done'`)
}

// Where a browser gives no microphone, the page says why and what to do.
func TestBrowserWithoutMicrophone(t *testing.T) {
	t.Parallel() // unlike the live one, which needs the cores in time
	p := openStudio(t, func(c *server.Config) { c.HostNames = []string{"studio.test"} })
	p.do(`location.href = location.href.replace('127.0.0.1', 'studio.test') + '#live'`)
	p.wait("the page at its other name", `location.hostname === 'studio.test' && document.querySelectorAll('.voice').length > 30`)
	contains(t, p.text(), "No microphone at this address")
	contains(t, p.text(), "ssh -L")
	if !value[bool](p, `document.querySelector('#view-live button.go').disabled`) {
		t.Error("Start can be pressed where there is no microphone")
	}
}
