package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/starvc/vc/internal/float16"
)

func sample() []Tensor {
	r := rand.New(rand.NewPCG(1, 2))
	big := make([]float32, chunkNumbers+17)
	for i := range big {
		big[i] = float32(r.NormFloat64())
	}
	return []Tensor{
		{Name: "scalar", Shape: []int{}, DType: F32, Data: []float32{3.25}},
		{Name: "big", Shape: []int{len(big)}, DType: F32, Data: big},
		{Name: `odd "name" <ü>`, Shape: []int{2, 3}, DType: F16, Data: []float32{0, -1, 65504, 6e-8, 0.5, 2}},
		{Name: "brain", Shape: []int{1, 2}, DType: BF16, Data: []float32{-1.5, 1e38}},
		{Name: "empty", Shape: []int{0, 4}, DType: F32, Data: []float32{}},
		{Name: "step", Shape: []int{3}, DType: I64, Ints: []int64{-1, math.MaxInt64, math.MinInt64}},
		{Name: "random", Shape: []int{1}, DType: U64, Ints: []int64{-1}},
	}
}

func encoded(t testing.TB, tensors []Tensor, meta map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, tensors, meta); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func small() []Tensor {
	return []Tensor{
		{Name: "a", Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}},
		{Name: "b", Shape: []int{1}, Ints: []int64{7}},
	}
}

func TestRoundTrip(t *testing.T) {
	meta := map[string]string{"config": `{"width":3}`, "text": "\u2028 \"quoted\" \n"}
	raw := encoded(t, sample(), meta)
	for name, r := range map[string]io.Reader{
		"all at once":      bytes.NewReader(raw),
		"a byte at a time": iotest.OneByteReader(bytes.NewReader(raw)),
	} {
		f, err := Read(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !maps.Equal(f.Metadata(), meta) {
			t.Errorf("%s: metadata %q, want %q", name, f.Metadata(), meta)
		}
		for i, want := range sample() {
			if f.Names()[i] != want.Name || !f.Has(want.Name) {
				t.Errorf("%s: name %d is %q, want %q", name, i, f.Names()[i], want.Name)
			}
			if want.DType.isInt() {
				got, err := f.Ints(want.Name, want.Shape...)
				if err != nil || !slices.Equal(got, want.Ints) {
					t.Errorf("%s: %s: %v %v", name, want.Name, got, err)
				}
				continue
			}
			got, err := f.Tensor(want.Name, want.Shape...)
			if err != nil || len(got) != len(want.Data) {
				t.Errorf("%s: %s: %d numbers, %v", name, want.Name, len(got), err)
				continue
			}
			tolerance := map[DType]float64{F32: 0, F16: 1.0 / 2048, BF16: 1.0 / 256}[want.DType]
			for j, v := range got {
				if d := math.Abs(float64(v - want.Data[j])); d > tolerance*math.Abs(float64(want.Data[j]))+tolerance*1e-4 {
					t.Fatalf("%s: %s[%d] = %g, want %g", name, want.Name, j, v, want.Data[j])
				}
			}
		}
		if again := encoded(t, f.Tensors(), f.Metadata()); !bytes.Equal(again, raw) {
			t.Errorf("%s: encoding what was read gives another file", name)
		}
	}
	if binary.LittleEndian.Uint64(raw)%8 != 0 {
		t.Error("the data does not start on a multiple of 8")
	}
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	raw := encoded(t, small(), nil)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw[:len(raw)-3], 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ReadFile(path)
	want := fmt.Sprintf("%s: cut short: %d of %d bytes are there; %s", path, len(raw)-3, len(raw), remedy)
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, err := ReadFile(path + ".absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that the file is missing", err)
	}
}

// TestCutAnywhere and TestFlipAnywhere are the promise of this package: no such file is taken for a good one.
func TestCutAnywhere(t *testing.T) {
	raw := encoded(t, small(), map[string]string{"k": "v"})
	for n := range raw {
		for _, size := range []int64{-1, int64(n)} {
			_, err := read(bytes.NewReader(raw[:n]), size, always)
			if err == nil || !strings.Contains(err.Error(), "cut short") || !strings.Contains(err.Error(), remedy) {
				t.Fatalf("%d of %d bytes: error %v", n, len(raw), err)
			}
		}
	}
	if _, err := Read(bytes.NewReader(append(slices.Clone(raw), 0))); err == nil {
		t.Error("a byte too many is accepted")
	}
}

func TestFlipAnywhere(t *testing.T) {
	raw := encoded(t, small(), map[string]string{"k": "a longer value", "é": "<&>"})
	for i := range raw {
		for bit := range 8 {
			bad := slices.Clone(raw)
			bad[i] ^= 1 << bit
			_, err := Read(bytes.NewReader(bad))
			if err == nil {
				t.Fatalf("byte %d, bit %d: the file is accepted", i, bit)
			}
			if !strings.Contains(err.Error(), remedy) {
				t.Fatalf("byte %d, bit %d: %v: no remedy named", i, bit, err)
			}
		}
	}
}

// file puts a header and data together without sums.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ name, header, want string }{
		{"no JSON", `hello`, "invalid character"},
		{"a list", `[]`, "where {"},
		{"unknown type", `{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`, "unknown"},
		{"short span", `{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, "do not fit"},
		{"backward span", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, "do not fit"},
		{"negative shape", `{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, "negative"},
		{"huge shape", `{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, "too many"},
		{"gap", `{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, "starts at"},
		{"overlap", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, "starts at"},
		{"twice", `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, "twice"},
		{"metadata of numbers", `{"__metadata__":{"a":1}}`, "not a text"},
		{"metadata twice", `{"__metadata__":{"a":"1","a":"2"}}`, "twice"},
		{"text behind", `{} {}`, "follows"},
		{"no sums", `{}`, "no checksum"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(file(c.header, 8)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := Read(bytes.NewReader([]byte("RIFF\x00\x00\x00\x7fWAVEfmt "))); err == nil || !strings.Contains(err.Error(), "not a safetensors file") {
		t.Errorf("a WAV file gives %v", err)
	}
}

func TestWriteRefusals(t *testing.T) {
	one := []float32{1}
	for _, c := range []struct {
		name    string
		tensors []Tensor
		meta    map[string]string
		want    string
	}{
		{"too few numbers", []Tensor{{Name: "a", Shape: []int{2}, Data: one}}, nil, `tensor "a": 1 numbers, want 2`},
		{"name twice", []Tensor{{Name: "a", Shape: []int{1}, Data: one}, {Name: "a", Shape: []int{1}, Data: one}}, nil, "twice"},
		{"no name", []Tensor{{Shape: []int{1}, Data: one}}, nil, "reserved"},
		{"metadata's name", []Tensor{{Name: "__metadata__", Shape: []int{1}, Data: one}}, nil, "reserved"},
		{"type of the other kind", []Tensor{{Name: "a", Shape: []int{1}, DType: I64, Data: one}}, nil, "does not fit"},
		{"unknown type", []Tensor{{Name: "a", Shape: []int{1}, DType: "F8", Data: one}}, nil, "unknown"},
		{"too large for half", []Tensor{{Name: "a", Shape: []int{1}, DType: F16, Data: []float32{65520}}}, nil, "too large"},
		{"too large for brain", []Tensor{{Name: "a", Shape: []int{1}, DType: BF16, Data: []float32{math.MaxFloat32}}}, nil, "too large"},
		{"reserved key", nil, map[string]string{"sha256": "x"}, "reserved"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			err := Write(&b, c.tensors, c.meta)
			if err == nil || !strings.Contains(err.Error(), c.want) || b.Len() > 0 {
				t.Errorf("error %v after %d bytes, want one with %q after none", err, b.Len(), c.want)
			}
		})
	}
}

func TestTensorErrors(t *testing.T) {
	f, err := Read(bytes.NewReader(encoded(t, small(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Tensor("a", 4)
	if err == nil || err.Error() != `tensor "a": shape [2 2], want [4]` {
		t.Errorf("wrong shape: %v", err)
	}
	_, err = f.Tensor("c", 4)
	if err == nil || err.Error() != `tensor "c": missing` {
		t.Errorf("missing: %v", err)
	}
	if _, err = f.Tensor("b", 1); err == nil {
		t.Error("integers are given out as floats")
	}
	if _, err = f.Ints("a", 2, 2); err == nil {
		t.Error("floats are given out as integers")
	}
}

// TestHalf compares every one of the 65536 half and brain floats with its own round trip, and rounding with a
// search for the nearest.
func TestHalf(t *testing.T) {
	for _, c := range []struct {
		name string
		to   func(float32) (uint16, bool)
		from func(uint16) float32
		inf  uint16
	}{{"F16", float16.FromFloat32, float16.ToFloat32, 0x7c00}, {"BF16", float16.BrainFromFloat32, float16.BrainToFloat32, 0x7f80}} {
		for h := range 1 << 16 {
			v := c.from(uint16(h))
			back, ok := c.to(v)
			if v != v {
				if w := c.from(back); w == w || !ok {
					t.Fatalf("%s %#x: NaN becomes %g", c.name, h, w)
				}
				continue
			}
			if back != uint16(h) || !ok {
				t.Fatalf("%s %#x = %g: back to %#x", c.name, h, v, back)
			}
			if uint16(h)&0x7fff >= c.inf-1 {
				continue
			}
			next := c.from(uint16(h) + 1)
			middle := (float64(v) + float64(next)) / 2
			want := uint16(h)
			if h&1 == 1 {
				want++ // a tie goes to the even one
			}
			if got, _ := c.to(float32(middle)); float64(float32(middle)) == middle && got != want {
				t.Fatalf("%s: %g rounds to %#x, want %#x", c.name, middle, got, want)
			}
			for _, x := range []float64{0.501, 0.499} {
				want := uint16(h)
				if x > 0.5 {
					want++
				}
				f := float32(float64(v) + x*(float64(next)-float64(v)))
				if float64(f) == middle || f == v || f == next {
					continue
				}
				if got, _ := c.to(f); got != want {
					t.Fatalf("%s: %g rounds to %#x, want %#x", c.name, f, got, want)
				}
			}
		}
	}
}

// endless gives zeros for ever.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.read += len(p)
	return len(p), nil
}

func TestEndlessPipe(t *testing.T) {
	var e endless
	if _, err := Read(&e); err == nil {
		t.Error("zeros are a model")
	}
	if e.read > 1<<20 {
		t.Errorf("%d bytes read of an endless pipe", e.read)
	}
}

// FuzzRead asks for three things of any bytes: no panic, memory in proportion to them, and that what is accepted
// can be written and read again.
func FuzzRead(f *testing.F) {
	f.Add(encoded(f, small(), map[string]string{"k": "v"}))
	f.Add(encoded(f, sample(), nil)[:2000])
	f.Add(file(`{"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}`, 2))
	f.Add(file(`{"a":{"dtype":"F32","shape":[1073741824],"data_offsets":[0,4294967296]}}`, 2))
	f.Add(file(`{"a":{"dtype":"BF16","shape":null,"data_offsets":[0,2]},"__metadata__":{"sha256":"x"}}`, 2))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if f, err := Read(bytes.NewReader(raw)); err == nil && f == nil {
			t.Fatal("neither file nor error")
		}
		got, err := read(bytes.NewReader(raw), -1, never)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := Write(&b, got.Tensors(), got.Metadata()); err != nil {
			if strings.Contains(err.Error(), "reserved") {
				return // a tensor without a name is read where a foreign file has one, but never written
			}
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := Read(&b)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if !slices.Equal(again.Names(), got.Names()) || !maps.Equal(again.Metadata(), got.Metadata()) {
			t.Fatal("names or metadata change on the way")
		}
		for i, a := range got.Tensors() {
			b := again.Tensors()[i]
			same := slices.EqualFunc(a.Data, b.Data, func(x, y float32) bool { return x == y || x != x && y != y })
			if !same || !slices.Equal(a.Ints, b.Ints) || !slices.Equal(a.Shape, b.Shape) || a.DType != b.DType {
				t.Fatalf("tensor %q changes on the way", a.Name)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	data := make([]float32, 4<<20)
	raw := encoded(b, []Tensor{{Name: "a", Shape: []int{len(data)}, Data: data}}, nil)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(bytes.NewReader(raw), int64(len(raw)), always); err != nil {
			b.Fatal(err)
		}
	}
}
