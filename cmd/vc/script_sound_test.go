package main

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/starvc/vc/audio"
)

// samesound A B compares the samples of two files.
func sameSound(ts *testscript.TestScript, neg bool, args []string) {
	a, err := audio.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := audio.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	if slices.Equal(a.Samples, b.Samples) == neg {
		ts.Fatalf("%s and %s: same samples is %t", args[0], args[1], neg)
	}
}

// length FILE SAMPLES RATE checks a file to the sample.
func length(ts *testscript.TestScript, neg bool, args []string) {
	clip, err := audio.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	if strconv.Itoa(len(clip.Samples)) != args[1] || strconv.Itoa(clip.Rate) != args[2] {
		ts.Fatalf("%s has %d samples at %d Hz", args[0], len(clip.Samples), clip.Rate)
	}
}

// tag FILE NAME PATTERN checks a tag of a file.
func tag(ts *testscript.TestScript, neg bool, args []string) {
	value := audio.ReadTags(context.Background(), ts.MkAbs(args[0])).Get(args[1])
	if regexp.MustCompile(args[2]).MatchString(value) == neg {
		ts.Fatalf("%s: %s is %q", args[0], args[1], value)
	}
}

// tagged FILE OUT TITLE writes a WAV with a title.
func tagged(ts *testscript.TestScript, neg bool, args []string) {
	clip, err := audio.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	sound := audio.Sound{Rate: clip.Rate, Channels: 1, Frames: int64(len(clip.Samples)), Tags: audio.Tags{{Name: "TITLE", Value: args[2]}}}
	ts.Check(audio.WriteSound(context.Background(), ts.MkAbs(args[1]), sound, "", func(e audio.Encoder) error { return e.Write(clip.Samples) }))
}

// sides FILE LEFT RIGHT checks that a stereo WAV holds the samples of two mono ones.
func sides(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	r, err := audio.NewWAVReader(f)
	ts.Check(err)
	if r.Channels() != 2 {
		ts.Fatalf("%s has %d channels", args[0], r.Channels())
	}
	var got [2][]float32
	buf := make([]float32, 4096)
	for {
		n, err := r.Read(buf)
		for i := 0; i < n; i += 2 {
			got[0], got[1] = append(got[0], buf[i]), append(got[1], buf[i+1])
		}
		if errors.Is(err, io.EOF) {
			break
		}
		ts.Check(err)
	}
	for side, name := range args[1:] {
		want, err := audio.ReadFile(ts.MkAbs(name))
		ts.Check(err)
		if !slices.Equal(got[side], want.Samples) {
			ts.Fatalf("side %d of %s is not %s", side, args[0], name)
		}
	}
}

// paced PLAIN FILE LEAST MOST checks how many times as long one recording is as another, to a thousandth; it may be 1 times where LEAST is 1 only.
// paced PLAIN FILE as NAME checks that all files of a name are longer by one factor.
func paced(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: paced PLAIN FILE LEAST MOST, or PLAIN FILE as NAME")
	}
	number := func(text string) float64 {
		v, err := strconv.ParseFloat(text, 64)
		ts.Check(err)
		return v
	}
	plain, err := audio.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	clip, err := audio.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	const tolerance = 0.001
	factor := clip.Duration().Seconds() / plain.Duration().Seconds()
	if args[2] != "as" {
		least, most := number(args[2]), number(args[3])
		if factor < least-tolerance || factor > most+tolerance || least != 1 && math.Abs(factor-1) < tolerance {
			ts.Fatalf("%s is %.4f times as long as %s, want %g to %g", args[1], factor, args[0], least, most)
		}
		return
	}
	name := "FACTOR_" + args[3]
	if before := ts.Getenv(name); before != "" && math.Abs(factor-number(before)) > tolerance {
		ts.Fatalf("%s is %.4f times as long as %s, another of this speaker %s", args[1], factor, args[0], before)
	}
	ts.Setenv(name, strconv.FormatFloat(factor, 'g', -1, 64))
}
