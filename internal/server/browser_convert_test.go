package server_test

import (
	"encoding/base64"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// A file is dropped, converted and compared with the original: what is heard is not silent, differs between both, and a switch stays at
// the same place.
func TestBrowserConvert(t *testing.T) {
	p := openStudio(t, nil)
	p.choose("lj")
	path, err := filepath.Abs(filepath.Join("..", "..", "testdata", "clips", "kathleen_arctic_a0544.flac"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		_, err := chromedp.Call(p.ctx, input.DispatchDragEvent, input.DispatchDragEventParams{
			Type: kind, X: 600, Y: 400, Data: &input.DragData{Items: []*input.DragDataItem{}, Files: []string{path}, DragOperationsMask: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	p.wait("the conversion", `(await import('/studio/js/convert.js')).shown()`)
	contains(t, p.text(), "kathleen_arctic_a0544.flac")

	// What the analyser before the loudspeaker has, and where the player is.
	listen := func(which string) (heard []float32, place float64) {
		c := p.sound(`const player = (await import('/studio/js/convert.js')).shown();
			const began = player.place;
			player.choose('` + which + `');
			const x = new Float32Array(2048), all = [];
			for (let i = 0; i < 10; i++) { await new Promise((ok) => setTimeout(ok, 60)); player.analyser.getFloatTimeDomainData(x); all.push(...x); }
			window.began = began;
			return { rate: player.rate, x: new Float32Array(all) };`)
		return c.Samples, value[float64](p, `window.began`)
	}
	p.do(`const player = (await import('/studio/js/convert.js')).shown(); player.seek(0.2); player.toggle();`)
	result, first := listen("result")
	source, second := listen("source")
	if a, b := rms(result), rms(source); a < 0.005 || b < 0.005 {
		t.Errorf("heard at RMS %.4f and %.4f: silence", a, b)
	}
	if d := second - first; d < 0.5 || d > 1.5 {
		t.Errorf("the switch went from %.2f to %.2f s: it does not stay at its place", first, second)
	}
	p.do(`(await import('/studio/js/convert.js')).shown().stop()`)
	whole := func(which string) []float32 {
		return p.sound(`const b = (await import('/studio/js/convert.js')).shown().buffers.` + which + `; return { rate: b.sampleRate, x: b.getChannelData(0) }`).Samples
	}
	a, b := whole("source"), whole("result")
	if len(a) != len(b) {
		t.Errorf("the original has %d samples, the result %d", len(a), len(b))
	}
	var difference float64
	for i := range min(len(a), len(b)) {
		difference += math.Abs(float64(a[i]-b[i])) / float64(len(a))
	}
	if difference < 0.1*rms(a) {
		t.Errorf("original and result differ by %.4f in the mean, at RMS %.4f", difference, rms(a))
	}
	judge := newListener(t)
	kathleen, lj := clip(t, "kathleen_arctic_a0344"), clip(t, "lj_LJ001-0132")
	saved := p.sound(`const r = await fetch(document.querySelector('.save a').href); const b = await new OfflineAudioContext(1, 1, 24000).decodeAudioData(await r.arrayBuffer());
		return { rate: 24000, x: b.getChannelData(0) };`)
	if to, from := judge.alike(saved, lj), judge.alike(saved, kathleen); to <= from {
		t.Errorf("what is saved is %.2f like lj and %.2f like kathleen", to, from)
	}

	// Once more in another voice, without another upload.
	p.choose("rms")
	p.press(".job-body", "Once more, as rms")
	p.wait("the second conversion", `document.querySelectorAll('.job[data-state="done"]').length === 2`)

	if dir := os.Getenv("STUDIO_PICTURES"); dir != "" {
		p.pictures(dir, "convert")
	}
	p.voicesAreMade()
}

// voicesAreMade mixes two voices, takes one from a recording, and keeps one that was drawn.
func (p *studio) voicesAreMade() {
	p.t.Helper()
	p.press(".make", "Mix two")
	p.do(`document.querySelector('dialog form').requestSubmit()`)
	p.wait("the mixed voice", `!document.querySelector('dialog') && document.querySelector('.voice:has(input:checked) .name').textContent.includes(' and ')`)

	lj, err := os.ReadFile(filepath.Join("..", "..", "testdata", "clips", "lj_LJ001-0132.flac"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.press(".make", "Like a recording")
	p.do(`const b = Uint8Array.from(atob('` + base64.StdEncoding.EncodeToString(lj) + `'), (c) => c.charCodeAt(0));
		const t = new DataTransfer(); t.items.add(new File([b], 'lj.flac', { type: 'audio/flac' }));
		const f = document.querySelector('dialog input[type=file]'); f.files = t.files; f.dispatchEvent(new Event('change'));
		document.querySelector('dialog input[name=name]').value = 'Somebody';
		document.querySelector('dialog form').requestSubmit();`)
	p.wait("the voice of the recording", `!document.querySelector('dialog') && document.querySelector('.voice:has(input:checked) .name').textContent.includes('Somebody')`)

	p.press(".make", "Draw one")
	p.press("dialog", "Draw")
	p.wait("the drawn voice", `!document.querySelector('dialog button[type=submit]').disabled`)
	p.do(`document.querySelector('dialog input[name=name]').value = 'Nobody'; document.querySelector('dialog form').requestSubmit();`)
	p.wait("the voice that is kept", `!document.querySelector('dialog') && document.querySelector('.voice:has(input:checked) .name').textContent.includes('Nobody')`)
	if file := value[string](p, `await (await fetch((await (await fetch('/studio/api/voices')).json()).voices.find((v) => v.name === 'Nobody').file_url)).text()`); len(file) < 100 {
		p.t.Errorf("the .voice file is %q", file)
	}
}
