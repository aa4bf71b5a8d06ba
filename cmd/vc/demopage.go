package main

import (
	"html/template"
	"net/url"
)

// demoPage is what the page of vc demo shows. Files are named relative to it.
type demoPage struct {
	Model, Program string
	Sentence       string // empty where unknown
	Sound, Picture string // of the input
	Pitch, Formant float64
	Voices         []demoVoice
}

var demoTemplate = template.Must(template.New("demo").Funcs(template.FuncMap{
	// A file name may hold characters that mean something in an address.
	"file": func(name string) template.URL { return template.URL("./" + url.PathEscape(name)) },
}).Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>One sentence in {{len .Voices}} voices</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
p { margin: 0 0 1rem; opacity: .8; }
section { border-top: 1px solid #8886; padding: 1rem 0; }
h2 { font-size: 1.1rem; margin: 0; }
h2 small { font-weight: normal; opacity: .75; margin-left: .75rem; }
audio { display: block; width: 100%; margin: .5rem 0; }
img { display: block; width: 100%; height: auto; border-radius: 4px; }
footer { border-top: 1px solid #8886; padding-top: 1rem; font-size: .85rem; opacity: .75; }
</style>
<h1>One sentence in {{len .Voices}} voices</h1>
<p>{{with .Sentence}}“{{.}}” {{end}}One model, {{.Model}}, says it in each of them.
{{- if .Pitch}} Pitch {{printf "%+g" .Pitch}} semitones.{{end}}{{if .Formant}} Formants {{printf "%+g" .Formant}} semitones.{{end}}</p>
<section>
<h2>input</h2>
<audio controls preload="metadata" src="{{file .Sound}}"></audio>
<img src="{{file .Picture}}" alt="spectrogram of the input">
</section>
{{range .Voices}}<section>
<h2>{{.Title}}<small>{{with .About}}{{.}}, {{end}}{{printf "%.0f" .PitchHz}} Hz</small></h2>
<audio controls preload="metadata" src="{{file .Sound}}"></audio>
<img loading="lazy" src="{{file .Picture}}" alt="spectrogram in the voice of {{.Title}}">
</section>
{{end}}<footer>Made by vc {{.Program}}. Converted speech: none of these people said this.</footer>
</html>
`))
