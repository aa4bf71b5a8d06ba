package server_test

import (
	"encoding/base64"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/starvc/vc/audio"
)

// shown is the player of the conversion that is unfolded.
const shown = `(await import('/studio/js/convert.js')).shown()`

// A file is dropped, converted and compared with the original: what is heard is not silent, differs between both, and a
// switch stays at the same place.
func TestBrowserConvert(t *testing.T) {
	t.Parallel() // unlike the live one, which needs the cores in time
	p := openStudio(t, nil)
	p.choose("lj")
	path := filepath.Join(t.TempDir(), "three sentences.wav")
	if err := audio.WriteFile(path, speech(t)); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []input.DispatchDragEventType{
		input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop,
	} {
		_, err := chromedp.Call(p.ctx, input.DispatchDragEvent, input.DispatchDragEventParams{
			Type: kind, X: 600, Y: 400,
			Data: &input.DragData{Items: []*input.DragDataItem{}, Files: []string{path}, DragOperationsMask: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	p.wait("the conversion", shown)
	contains(t, p.text(), "three sentences.wav")

	whole := func(which string) []float32 {
		return p.sound(`const b = ` + shown + `.buffers.` + which + `; return { rate: b.sampleRate, x: b.getChannelData(0) }`).Samples
	}
	const rate = 24000 // of the voices in the program
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
	// What the analyser before the loudspeaker has is the one that was chosen, from where the player is.
	p.do(`const player = ` + shown + `; player.seek(0.2); player.toggle();`)
	place := 0.0
	for _, which := range []string{"result", "source"} {
		p.do(shown + `.choose('` + which + `'); await new Promise((ok) => setTimeout(ok, 150));`)
		// A moment in which the browser's sound stumbled, as where others keep the machine busy, is looked at again.
		var like, unlike, at float64
		for range 8 {
			heard := p.sound(`const player = ` + shown + `, x = new Float32Array(player.analyser.fftSize);
				player.analyser.getFloatTimeDomainData(x);
				window.heardAt = player.now;
				return { rate: player.analyser.context.sampleRate, x };`)
			at = value[float64](p, `window.heardAt`)
			x := audio.Resample(heard.Samples, heard.Rate, rate)
			if rms(x) < 0.003 {
				continue // between two words
			}
			chosen, other := a, b
			if which == "result" {
				chosen, other = b, a
			}
			var off int
			like, off = likeness(x, chosen, int(at*rate))
			unlike, _ = likeness(x, other, int(at*rate))
			t.Logf("%s at %.2f s: %.2f like itself, %.0f ms away, %.2f like the other", which, at, like, 1000*float64(off)/rate, unlike)
			if like >= 0.9 {
				break
			}
		}
		if like < 0.9 || unlike > like-0.05 {
			t.Errorf("what is heard is %.2f like %s and %.2f like the other", like, which, unlike)
		}
		if at <= place {
			t.Errorf("%s is heard at %.2f s, after %.2f s: the switch went back", which, at, place)
		}
		place = at
	}
	p.do(shown + `.stop()`)

	judge := newListener(t)
	kathleen, lj := clip(t, "kathleen_arctic_a0344"), clip(t, "lj_LJ001-0132")
	saved := p.sound(`const r = await fetch(document.querySelector('.save a').href);
		const b = await new OfflineAudioContext(1, 1, 24000).decodeAudioData(await r.arrayBuffer());
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
	p.wait("the mixed voice", chosenIs(" and "))

	lj, err := os.ReadFile(filepath.Join("..", "..", "testdata", "clips", "lj_LJ001-0132.flac"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.press(".make", "Like a recording")
	p.do(`const b = Uint8Array.from(atob('` + base64.StdEncoding.EncodeToString(lj) + `'), (c) => c.charCodeAt(0));
		const t = new DataTransfer(); t.items.add(new File([b], 'lj.flac', { type: 'audio/flac' }));
		const f = document.querySelector('dialog input[type=file]'); f.files = t.files; f.dispatchEvent(new Event('change'));
		document.querySelector('dialog input[name=name]').value = 'Somebody';
		document.querySelector('dialog input[name=consent]').value = 'yes';
		document.querySelector('dialog form').requestSubmit();`)
	p.wait("what is wrong with the consent", `document.querySelector('dialog [role=alert]').textContent.includes('want who speaks')`)
	p.do(`document.querySelector('dialog input[name=consent]').value = 'Linda Johnson, 2017, public domain';
		document.querySelector('dialog form').requestSubmit();`)
	p.wait("the voice of the recording", chosenIs("Somebody"))
	const line = "Linda Johnson, 2017, public domain"
	contains(p.t, value[string](p, `document.querySelector('.voice:has(input:checked) .consent').textContent`), line)
	p.do(`document.querySelector('.voice:has(input:checked) button[aria-label="What can be done with Somebody"]').click()`)
	contains(p.t, value[string](p, `document.querySelector('dialog .consent').textContent`), line)
	p.press("dialog", "Close")

	p.press(".make", "Draw one")
	p.press("dialog", "Draw")
	p.wait("the drawn voice", `!document.querySelector('dialog button[type=submit]').disabled`)
	p.do(`document.querySelector('dialog input[name=name]').value = 'Nobody'; document.querySelector('dialog form').requestSubmit();`)
	p.wait("the voice that is kept", chosenIs("Nobody"))
	if file := value[string](p, `await (async () => {
		const { voices } = await (await fetch('/studio/api/voices')).json();
		return (await fetch(voices.find((v) => v.name === 'Nobody').file_url)).text();
	})()`); len(file) < 100 {
		p.t.Errorf("the .voice file is %q", file)
	}
}

// likeness is how alike x is to what y has up to a place, 1 for the same, at the best shift within 0.2 s, and that
// shift.
func likeness(x, y []float32, end int) (most float64, shift int) {
	const reach = 4800
	for s := -reach; s <= reach; s++ {
		from := end + s - len(x)
		if from < 0 || from+len(x) > len(y) {
			continue
		}
		var xy, xx, yy float64
		for i, v := range x {
			w := float64(y[from+i])
			xy, xx, yy = xy+float64(v)*w, xx+float64(v)*float64(v), yy+w*w
		}
		if c := xy / math.Sqrt(xx*yy+1e-12); c > most {
			most, shift = c, s
		}
	}
	return most, shift
}

// chosenIs is true once no dialog is open and the voice that is chosen has words in its name.
func chosenIs(words string) string {
	return `!document.querySelector('dialog') &&
		document.querySelector('.voice:has(input:checked) .name')?.textContent.includes('` + words + `')`
}
