package spool

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFloats: the samples come back, twice, whether they fit into memory or not, and no file is left.
func TestFloats(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, most := range []int{0, 100, 999, 1 << 20} {
		f := NewFloats(most)
		var want []float32
		for k := range 30 {
			x := make([]float32, 7*k)
			for i := range x {
				x[i] = float32(len(want) + i)
			}
			want = append(want, x...)
			if err := f.Add(x); err != nil {
				t.Fatal(err)
			}
		}
		if f.Samples() != int64(len(want)) {
			t.Errorf("%d samples, want %d", f.Samples(), len(want))
		}
		for range 2 {
			r := f.Floats()
			var got []float32
			buf := make([]float32, 64)
			for {
				n, err := r.Read(buf)
				got = append(got, buf[:n]...)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d in memory: %d samples came back, want %d", most, len(got), len(want))
			}
		}
		f.Reset()
		if f.Samples() != 0 {
			t.Error("not empty after Reset")
		}
		if err := f.Add(want[:10]); err != nil {
			t.Error(err)
		}
		f.Close()
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNoRoom(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	s := New(10)
	if _, err := s.Write(make([]byte, 11)); err == nil || !strings.Contains(err.Error(), "$TMPDIR") {
		t.Errorf("error %v", err)
	}
	if _, err := io.ReadAll(s.Reader()); err == nil {
		t.Error("what could not be written was read")
	}
}
