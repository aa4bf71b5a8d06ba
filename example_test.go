package vc_test

import (
	"context"
	"fmt"
	"log"
	"slices"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
)

// A recording in another voice.
func ExampleModel_Convert() {
	model, err := vc.Base()
	if err != nil {
		log.Fatal(err)
	}
	voice, err := model.Voice("lj")
	if err != nil {
		log.Fatal(err)
	}
	in, err := audio.ReadFile("testdata/clips/kathleen_arctic_a0504.flac")
	if err != nil {
		log.Fatal(err)
	}
	out, err := model.Convert(context.Background(), in, voice, vc.Options{PitchSemitones: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f s of sound at %d Hz became %.2f s at %d Hz\n", in.Duration().Seconds(), in.Rate, out.Clip.Duration().Seconds(), out.Clip.Rate)
	// Output: 1.93 s of sound at 24000 Hz became 1.93 s at 24000 Hz
}

// Sound that arrives in pieces of 20 ms, as from a microphone, in the voice of somebody in a recording.
func ExampleModel_NewStream() {
	model, err := vc.Base()
	if err != nil {
		log.Fatal(err)
	}
	reference, err := audio.ReadFile("testdata/clips/lj_LJ001-0136.flac")
	if err != nil {
		log.Fatal(err)
	}
	voice, _, err := model.LikeVoice(reference, "")
	if err != nil {
		log.Fatal(err)
	}
	const rate = 48000
	stream, err := model.NewStream(voice, model.StreamOptions(rate))
	if err != nil {
		log.Fatal(err)
	}
	microphone := make([]float32, rate) // a second of it
	out := make([]float32, 0, rate)     // with room for all, so that nothing is allocated
	for piece := range slices.Chunk(microphone, rate/50) {
		out = stream.Process(out, piece)
	}
	fmt.Printf("%.0f ms behind\n", 1000*float64(stream.Latency())/rate)
	out = stream.Flush(out)
	fmt.Println(len(out), "samples")
	// Output:
	// 39 ms behind
	// 48000 samples
}
