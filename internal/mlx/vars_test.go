package mlx

import (
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/safetensors"
)

func set(t *testing.T, v *Vars, group, name string, shape []int, data ...float32) {
	t.Helper()
	if err := v.Set(group, name, shape, data); err != nil {
		t.Fatal(err)
	}
}

func TestVars(t *testing.T) {
	v := NewVars()
	data := []float32{1, 2, 3, 4, 5, 6}
	if err := v.Set(GroupWeights, "gen.a.w", []int{2, 3}, data); err != nil {
		t.Fatal(err)
	}
	set(t, v, GroupWeights, "gen.b", []int{1}, 7)
	set(t, v, GroupWeights, "map.c", []int{1}, 8)
	set(t, v, GroupEMA, "gen.a.w", []int{1}, 9)
	set(t, v, GroupCount, "gen.", []int{}, 3)

	data[0] = 100
	got, shape, err := v.Get(GroupWeights, "gen.a.w")
	if err != nil || !slices.Equal(got, []float32{1, 2, 3, 4, 5, 6}) || !slices.Equal(shape, []int{2, 3}) {
		t.Errorf("Get gives %v %v %v: Set must copy what it is given", got, shape, err)
	}
	got[1] = 100
	if again := get(t, v, GroupWeights, "gen.a.w"); again[1] != 2 {
		t.Error("what Get returns is not a copy")
	}
	if got, shape, _ := v.Get(GroupCount, "gen."); len(shape) != 0 || !slices.Equal(got, []float32{3}) {
		t.Errorf("a scalar comes back as %v %v", got, shape)
	}
	if got := v.Names(GroupWeights, "gen."); !slices.Equal(got, []string{"gen.a.w", "gen.b"}) {
		t.Errorf("Names gives %v", got)
	}
	if got := v.Names(GroupMoment1, ""); len(got) != 0 {
		t.Errorf("an empty group has %v", got)
	}
	if !v.Has(GroupEMA, "gen.a.w") || v.Has(GroupEMA, "gen.b") {
		t.Error("Has does not keep the groups apart")
	}
	set(t, v, GroupWeights, "gen.b", []int{1}, 70)
	if got := get(t, v, GroupWeights, "gen.b"); got[0] != 70 {
		t.Errorf("overwritten value is %v", got)
	}

	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"too few numbers", v.Set(GroupWeights, "x", []int{2, 2}, []float32{1}), "1 values for shape [2 2]"},
		{"another shape", v.Set(GroupWeights, "gen.a.w", []int{3, 2}, make([]float32, 6)), "want [2 3]"},
		{"unknown", func() error { _, _, err := v.Get(GroupWeights, "nothing"); return err }(), "w/nothing"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, c.err, c.want)
		}
	}
}

func TestUnknownNodePanics(t *testing.T) {
	defer func() {
		if p := recover(); p == nil || !strings.Contains(p.(string), "w/gen.typo") {
			t.Errorf("panic %v, want one that names the variable", p)
		}
	}()
	NewVars().Lookup(NewGraph(openGo(t), "unknown"), GroupWeights)("gen.typo")
}

func snapshotVars(t *testing.T) *Vars {
	v := NewVars()
	set(t, v, GroupWeights, "gen.stem.w", []int{2, 2}, 1, -0.5, 3e-39, 1e38)
	set(t, v, GroupWeights, "gen.stem.b", []int{2}, 0, float32(math.Copysign(0, -1)))
	set(t, v, GroupEMA, "gen.stem.w", []int{2, 2}, 5, 6, 7, 8)
	set(t, v, GroupMoment2, "gen.stem.w", []int{2, 2}, 9, 10, 11, 12)
	set(t, v, GroupCount, "gen.", []int{}, 41)
	return v
}

func TestSnapshotRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	v := snapshotVars(t)
	meta := map[string]string{"step": "41", "text": "any \"text\"\nat all"}
	if err := v.WriteSnapshot(path, meta); err != nil {
		t.Fatal(err)
	}
	back, gotMeta, err := ReadSnapshot(path)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range meta {
		if gotMeta[k] != want {
			t.Errorf("meta %q is %q, want %q", k, gotMeta[k], want)
		}
	}
	want, got := everything(t, v), everything(t, back)
	if !slices.Equal(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))) {
		t.Fatalf("variables %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for name := range want {
		for i := range want[name] {
			if math.Float32bits(want[name][i]) != math.Float32bits(got[name][i]) {
				t.Errorf("%s[%d] is %g, want %g", name, i, got[name][i], want[name][i])
			}
		}
	}
	again := filepath.Join(t.TempDir(), "b.safetensors")
	if err := back.WriteSnapshot(again, meta); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(path)
	b, _ := os.ReadFile(again)
	if !slices.Equal(a, b) {
		t.Error("written again, the bytes differ")
	}
}

func TestBrokenSnapshots(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "whole.safetensors")
	if err := snapshotVars(t).WriteSnapshot(path, map[string]string{"step": "1"}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, data []byte) {
		t.Helper()
		broken := filepath.Join(dir, "broken.safetensors")
		if err := os.WriteFile(broken, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := ReadSnapshot(broken)
		if err == nil || !strings.HasPrefix(err.Error(), "snapshot") || !strings.Contains(err.Error(), broken) {
			t.Errorf("%s: error %v, want one that begins with snapshot and names the file", what, err)
		}
	}
	for n := range len(whole) {
		refused("cut short", whole[:n])
	}
	for i := range whole {
		flipped := slices.Clone(whole)
		flipped[i] ^= 1 << (i % 8)
		refused("flipped bit", flipped)
	}
	refused("a byte too many", append(slices.Clone(whole), 0))
	if _, _, err := ReadSnapshot(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing file was read")
	}
}

func TestSnapshotRefusesStrangeTensors(t *testing.T) {
	for _, tensor := range []safetensors.Tensor{
		{Name: "no-group", Shape: []int{1}, Data: []float32{1}},
		{Name: "w/whole", Shape: []int{1}, Ints: []int64{1}},
	} {
		path := filepath.Join(t.TempDir(), "strange.safetensors")
		err := atomicfile.Write(path, func(w io.Writer) error { return safetensors.Write(w, []safetensors.Tensor{tensor}, nil) })
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadSnapshot(path); err == nil || !strings.Contains(err.Error(), tensor.Name) {
			t.Errorf("%s: error %v, want one that names the tensor", tensor.Name, err)
		}
	}
}

func TestSnapshotNotWritten(t *testing.T) {
	dir := t.TempDir()
	if err := snapshotVars(t).WriteSnapshot(filepath.Join(dir, "nowhere", "a"), nil); err == nil {
		t.Error("written into a folder that is not there")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}
