package safetensors

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func TestKind(t *testing.T) {
	k := Kind{What: "judge", Format: "starvc-judge", Version: 2, Old: "vc.judge"}
	marked := map[string]string{}
	k.Mark(marked)
	for name, c := range map[string]struct {
		header map[string]string
		want   string
	}{
		"its own":           {marked, ""},
		"before the format": {map[string]string{"vc.judge": "{}"}, ""},
		"another":           {map[string]string{"format": "pt", "vc.judge": "{}"}, `not a judge: a safetensors file of format "pt", want "starvc-judge"`},
		"none":              {map[string]string{}, "not a judge"},
		"a later version":   {map[string]string{"format": "starvc-judge", "formatVersion": "3"}, "format version 3, this program reads 2"},
	} {
		err := k.Check(c.header)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestWeights(t *testing.T) {
	type own struct {
		Name  string
		Shape []int
	}
	params := []own{{"a", []int{2, 2}}, {"b", []int{3}}}
	good := func() map[string][]float32 { return map[string][]float32{"a": {1, 2, 3, 4}, "b": {5, 6, 7}} }
	list, err := Table(params, good(), F32)
	if err != nil {
		t.Fatal(err)
	}
	read := func(list ...Tensor) *File {
		var b bytes.Buffer
		if err := Write(&b, list, nil); err != nil {
			t.Fatal(err)
		}
		f, err := Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	weights, err := Weights(read(list...), params, nil)
	if err != nil || len(weights) != 2 || weights["a"][3] != 4 {
		t.Errorf("%v, %v", weights, err)
	}
	more := read(append(list, Tensor{Name: "c", Shape: []int{1}, Data: []float32{1}})...)
	if _, err := Weights(more, params, func(name string) bool { return name == "c" }); err != nil {
		t.Error(err)
	}
	for want, f := range map[string]*File{
		`tensor "c": unknown to this program`: more,
		`tensor "b"`:                          read(list[0]),
		`want [3]`:                            read(list[0], Tensor{Name: "b", Shape: []int{2}, Data: []float32{1, 2}}),
	} {
		if _, err := Weights(f, params, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	for want, change := range map[string]func(map[string][]float32){
		`tensor "a": number 1 is NaN`:               func(w map[string][]float32) { w["a"][1] = float32(math.NaN()) },
		`tensor "b": missing`:                       func(w map[string][]float32) { delete(w, "b") },
		`tensor "b": 2 numbers, want 3`:             func(w map[string][]float32) { w["b"] = w["b"][:2] },
		`tensor "z": unknown to this configuration`: func(w map[string][]float32) { w["z"] = nil },
	} {
		w := good()
		change(w)
		if _, err := Table(params, w, F32); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
