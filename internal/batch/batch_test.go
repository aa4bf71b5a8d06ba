package batch

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func TestShards(t *testing.T) {
	for _, c := range []struct {
		name   string
		env    map[string]string
		shards int
		want   Shard
		found  bool
		err    string
	}{
		{name: "nothing", want: Shard{0, 1}},
		{name: "Slurm from 0", env: map[string]string{"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "20", "SLURM_ARRAY_TASK_MIN": "0"}, want: Shard{3, 20}, found: true},
		{name: "Slurm from 1", env: map[string]string{"SLURM_ARRAY_TASK_ID": "20", "SLURM_ARRAY_TASK_COUNT": "20", "SLURM_ARRAY_TASK_MIN": "1"}, want: Shard{19, 20}, found: true},
		{name: "Slurm in steps", env: map[string]string{"SLURM_ARRAY_TASK_ID": "15", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "5", "SLURM_ARRAY_TASK_STEP": "5"}, want: Shard{2, 4}, found: true},
		{name: "Slurm with gaps", env: map[string]string{"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_ARRAY_TASK_MIN": "3"}, found: true, err: "the array has gaps"},
		{name: "Slurm, some again", env: map[string]string{"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_ARRAY_TASK_MIN": "3"}, shards: 20, want: Shard{7, 20}, found: true},
		{name: "Slurm beyond", env: map[string]string{"SLURM_ARRAY_TASK_ID": "20"}, shards: 20, found: true, err: "submit the array 0-19"},
		{name: "Slurm without a count", env: map[string]string{"SLURM_ARRAY_TASK_ID": "2"}, found: true, err: "number N of shards"},
		{name: "Job", env: map[string]string{"JOB_COMPLETION_INDEX": "0"}, shards: 4, want: Shard{0, 4}, found: true},
		{name: "Job without shards", env: map[string]string{"JOB_COMPLETION_INDEX": "0"}, found: true, err: "number of shards is missing"},
		{name: "Job beyond", env: map[string]string{"JOB_COMPLETION_INDEX": "4"}, shards: 4, found: true, err: "want 0 to 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, found, err := FromEnvironment(func(name string) string { return c.env[name] }, c.shards)
			if found != c.found || (err == nil) != (c.err == "") || err == nil && got != c.want || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, %v, %v", got, found, err)
			}
		})
	}
	for _, text := range []string{"", "3", "0/3", "4/3", "a/3", "1/0", "-1/3"} {
		if s, err := ParseShard(text); err == nil {
			t.Errorf("%q: %v", text, s)
		}
	}
	const count, items = 7, 50
	taken := make([]int, items)
	for i := range count {
		for k := range items {
			if (Shard{i, count}).Takes(k) {
				taken[k]++
			}
		}
	}
	for k, n := range taken {
		if n != 1 {
			t.Errorf("item %d is in %d shards", k, n)
		}
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLists(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
	items, err := ReadList(write(t, "\ufeff# a comment\n"+at("x/a b.wav")+"\tann\r\n\n"+at("x/y/c.flac")+"\n"))
	want := []Item{{at("x/a b.wav"), at("x/a b.wav"), "ann", "a b"}, {at("x/y/c.flac"), at("x/y/c.flac"), "", filepath.FromSlash("y/c")}}
	if err != nil || !reflect.DeepEqual(items, want) {
		t.Errorf("absolute: %q, %v", items, err)
	}
	items, err = ReadList(write(t, "x/a.wav\nx/y/c.flac\n"))
	if err != nil || items[0].Inside != filepath.FromSlash("x/a") || items[1].Inside != filepath.FromSlash("x/y/c") {
		t.Errorf("relative: %q, %v", items, err)
	}
	items, err = ReadSCP(write(t, "utt1   /data/a b.wav\nutt2\tc.flac"))
	if want := []Item{{"utt1", "/data/a b.wav", "", "utt1"}, {"utt2", "c.flac", "", "utt2"}}; err != nil || !reflect.DeepEqual(items, want) {
		t.Errorf("scp: %q, %v", items, err)
	}
	if err := ReadVoices(write(t, "utt2 ann\nutt1\tmy voice.voice\n"), items); err != nil || items[0].Voice != "my voice.voice" || items[1].Voice != "ann" {
		t.Errorf("voices: %q, %v", items, err)
	}
	for _, c := range []struct {
		read       func(string) ([]Item, error)
		text, want string
	}{
		{ReadList, "a.wav\tann\tx\n", "line 1: more than two columns"},
		{ReadList, "a.wav\nsox a.wav -t wav - |\n", "line 2: \"sox a.wav -t wav - |\" is a command"},
		{ReadSCP, "utt1\n", "line 1: \"utt1\": want"},
		{ReadSCP, "utt1 sph2pipe -f wav x.sph |\n", "comes from a command"},
		{ReadSCP, "utt1 raw.ark:1234\n", "lies inside an archive"},
		{ReadSCP, "../utt1 a.wav\n", "outside the output folder"},
		{func(path string) ([]Item, error) { return nil, ReadVoices(path, items) }, "utt3 ann\n", `no recording "utt3"`},
		{func(path string) ([]Item, error) { return nil, ReadVoices(path, items) }, "utt1\n", "want a recording"},
	} {
		if _, err := c.read(write(t, c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
	if err := Check([]Item{{Key: "a"}, {Key: "a"}}); err == nil {
		t.Error("two of a key")
	}
	if err := Check([]Item{{Key: "a\tb"}}); err == nil {
		t.Error("a tab")
	}
}

// Two workers write one manifest, over lines that were cut short, and each knows what the other has done.
func TestBooks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "o[1]")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	source, target := filepath.Join(dir, "source"), "a/result.wav"
	for path, text := range map[string]string{source: "source", filepath.Join(dir, "result"): "result"} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	sum := func(path string) string {
		s, err := Checksum(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	shard := Shard{2, 20}
	manifest := filepath.Join(dir, "manifest-03-of-20.tsv")
	if err := os.WriteFile(manifest, []byte(Header+"\nsource\tx"), 0o666); err != nil {
		t.Fatal(err)
	}
	var workers []*Books
	for range 2 {
		b, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Write(shard); err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		workers = append(workers, b)
	}
	judge := func(b *Books, settings string, want State) {
		t.Helper()
		if got, _, err := b.Judge(t.Context(), source, target, settings); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	judge(workers[1], "s", Missing)
	e := Entry{source, target, "s", 1.5, sum(filepath.Join(dir, "result")), sum(source), "v1"}
	if err := workers[0].Add(e); err != nil {
		t.Fatal(err)
	}
	judge(workers[1], "s", Missing) // there is no file
	if err := os.Mkdir(filepath.Join(dir, "a"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "result"), filepath.Join(dir, target)); err != nil {
		t.Fatal(err)
	}
	judge(workers[1], "s", Whole)
	judge(workers[1], "other", Outdated)
	var wait sync.WaitGroup
	for i, b := range workers {
		wait.Go(func() {
			for k := range 100 {
				e := e
				e.Target = string(rune('a'+i)) + strings.Repeat("x", k)
				if err := b.Add(e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	b, err := Open(dir)
	if err != nil || len(b.entries) != 201 {
		t.Errorf("%d entries, %v", len(b.entries), err)
	}
	judge(b, "s", Whole)
	if err := os.WriteFile(source, []byte("changed"), 0o666); err != nil {
		t.Fatal(err)
	}
	judge(b, "s", Outdated)
	if err := os.WriteFile(filepath.Join(dir, target), []byte("resul"), 0o666); err != nil {
		t.Fatal(err)
	}
	judge(b, "s", Broken)
}

func FuzzManifest(f *testing.F) {
	e := Entry{"a", "b", "c", 1.25, strings.Repeat("0", 64), strings.Repeat("1", 64), "v"}
	f.Add(e.Line())
	f.Add(Header)
	f.Fuzz(func(t *testing.T, line string) {
		got, ok := parseLine(line)
		if !ok {
			return
		}
		again, ok := parseLine(got.Line())
		if !ok || again.Line() != got.Line() {
			t.Errorf("%q, then %q", got.Line(), again.Line())
		}
	})
}
