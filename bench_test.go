package vc

import (
	"context"
	"fmt"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// BenchmarkStream reports the real-time factor of preset live in chunks; "vc bench" has more figures.
func BenchmarkStream(b *testing.B) {
	const rate = 48000
	m := New(untrained.Model(gan.Live(), 2, 1))
	for _, ms := range []int{10, 20} {
		b.Run(fmt.Sprintf("%dms", ms), func(b *testing.B) {
			s, err := m.NewStream(m.SpeakerVoice(0), m.StreamOptions(rate))
			if err != nil {
				b.Fatal(err)
			}
			chunk := rate * ms / 1000
			x := vowel(rate, 4*rate)
			y := make([]float32, 0, rate)
			at := 0
			b.ReportAllocs()
			for b.Loop() {
				if at+chunk > len(x) {
					at = 0
				}
				y = s.Process(y[:0], x[at:at+chunk])
				at += chunk
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/(float64(ms)/1000), "RTF")
		})
	}
}

// BenchmarkFile reports the real-time factor of a file on one core.
func BenchmarkFile(b *testing.B) {
	const rate, seconds = 16000, 10
	m := withNet(b, New(untrained.Model(gan.Live(), 2, 1)))
	for _, v := range Vocoders() {
		b.Run(string(v), func(b *testing.B) {
			clip := audio.Clip{Samples: vowel(rate, seconds*rate), Rate: rate}
			for b.Loop() {
				if _, err := m.Convert(context.Background(), clip, m.SpeakerVoice(0), Options{Threads: 1, Vocoder: v}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/seconds, "RTF")
		})
	}
}
