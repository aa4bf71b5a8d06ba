package wheel

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fakeWheel makes a wheel of the given files; those in wrong have another checksum in its list.
func fakeWheel(t *testing.T, files map[string]string, wrong ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	record := ""
	add := func(name, text string) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
	}
	for name, text := range files {
		add(name, text)
		if slices.Contains(wrong, name) {
			text += "!"
		}
		sum := sha256.Sum256([]byte(text))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(text))
	}
	name := fmt.Sprintf("thing%d-1.dist-info/RECORD", len(record))
	add(name, record+name+",,\n")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pinOf(project string, data []byte) Pin {
	sum := sha256.Sum256(data)
	return Pin{
		Project: project, Version: "1.0", File: strings.ReplaceAll(project, "-", "_") + "-1.0-py3-none-manylinux_2_17_x86_64.whl",
		Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:]),
	}
}

// shop serves an index and its files, and counts the requests for files.
type shop struct {
	*httptest.Server
	files  map[string][]byte // by name
	json   bool
	asked  atomic.Int64
	ranges []string
	serve  func(w http.ResponseWriter, r *http.Request, data []byte) bool // may answer in another way
}

func newShop(t *testing.T, asJSON bool, files map[Pin][]byte) *shop {
	t.Helper()
	s := &shop{files: map[string][]byte{}, json: asJSON}
	pages := map[string]string{}
	for p, data := range files {
		s.files[p.File] = data
		if asJSON {
			pages[p.Project] = fmt.Sprintf(`{"files":[{"filename":"other.whl","url":"x"},{"filename":%q,"url":"../../files/%s"}]}`, p.File, p.File)
		} else {
			pages[p.Project] = fmt.Sprintf("<html><a href=\"x\">other.whl</a>\n<A class=x href='../../files/%s#sha256=1&amp;x'>%s</A></html>", p.File, p.File)
		}
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
			data, ok := s.files[name]
			if !ok {
				http.NotFound(w, r)
				return
			}
			s.asked.Add(1)
			s.ranges = append(s.ranges, r.Header.Get("Range"))
			if s.serve == nil || !s.serve(w, r, data) {
				http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
			}
			return
		}
		page, ok := pages[strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple/"), "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", map[bool]string{true: "application/vnd.pypi.simple.v1+json", false: "text/html; charset=utf-8"}[asJSON])
		io.WriteString(w, page)
	}))
	t.Cleanup(s.Close)
	return s
}

func options(t *testing.T, s *shop, pins ...Pin) (Options, *strings.Builder) {
	t.Helper()
	said := &strings.Builder{}
	o := Options{
		Pins: pins, To: filepath.Join(t.TempDir(), "new", "plugins"), Name: "bundle-1", Cache: filepath.Join(t.TempDir(), "cache"),
		Progress: func(string, int64, int64) {},
		Say:      func(format string, a ...any) { fmt.Fprintf(said, format+"\n", a...) },
	}
	if s != nil {
		o.Index = Index{URL: s.URL + "/simple", Client: s.Client()}
		o.Fetch = Fetcher{Client: s.Client(), Stall: 300 * time.Millisecond, Pause: time.Millisecond}
	}
	return o, said
}

func list(t *testing.T, folder string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rest, _ := filepath.Rel(folder, path)
			names = append(names, filepath.ToSlash(rest))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestInstall(t *testing.T) {
	first := fakeWheel(t, map[string]string{"jax_plugins/x/plugin.so": "plugin", "jax_plugins/x/__init__.py": "python", "nvidia/cu13/include/cuda.h": "header"})
	second := fakeWheel(t, map[string]string{"nvidia/cu13/lib/libcudart.so.13": "runtime", "nvidia/cu13/lib/lib.a": "static", "nvidia/cu13/bin/ptxas": "program"})
	for _, asJSON := range []bool{true, false} {
		t.Run(fmt.Sprintf("json %v", asJSON), func(t *testing.T) {
			a, b := pinOf("jax-thing", first), pinOf("nvidia-cuda-thing", second)
			s := newShop(t, asJSON, map[Pin][]byte{a: first, b: second})
			o, _ := options(t, s, a, b)
			checked := ""
			o.Check = func(folder string) error { checked = folder; return nil }
			last := int64(0)
			o.Progress = func(what string, done, total int64) {
				if strings.HasPrefix(what, "unpack") {
					return
				}
				if done < last || total != int64(len(first)+len(second)) {
					t.Errorf("%s: %d of %d after %d", what, done, total, last)
				}
				last = done
			}
			folder, err := Install(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			if last != int64(len(first)+len(second)) || checked == "" || checked == folder {
				t.Errorf("progress ended at %d, checked %q", last, checked)
			}
			want := []string{"jax_plugins/x/plugin.so", "nvidia/cu13/bin/ptxas", "nvidia/cu13/lib/libcudart.so.13"}
			got := slices.DeleteFunc(list(t, folder), func(name string) bool { return strings.HasSuffix(name, "RECORD") })
			if !slices.Equal(got, want) || folder != filepath.Join(o.To, "bundle-1") {
				t.Errorf("%s holds %q, want %q", folder, got, want)
			}
			if info, err := os.Stat(filepath.Join(folder, "nvidia/cu13/bin/ptxas")); err != nil || info.Mode()&0o100 == 0 {
				t.Errorf("ptxas cannot be run: %v, %v", info, err)
			}
			if left := list(t, o.Cache); len(left) > 0 {
				t.Errorf("downloads left behind: %q", left)
			}
			// Once more: in the place of the old one.
			if err := os.WriteFile(filepath.Join(folder, "old"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			last = 0
			if _, err := Install(context.Background(), o); err != nil {
				t.Fatal(err)
			}
			if got := list(t, o.To); len(got) != len(want)+2 {
				t.Errorf("after a second time: %q", got)
			}
		})
	}
}

// A download that breaks off goes on where it stopped, within a run and in the next one.
func TestFetchResumes(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	p := pinOf("thing", data)
	s := newShop(t, true, map[Pin][]byte{p: data})
	o, _ := options(t, s, p)
	if err := os.MkdirAll(o.Cache, 0o755); err != nil {
		t.Fatal(err)
	}
	// Four requests break off after ten thousand bytes each.
	s.serve = func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		if s.asked.Load() > 4 {
			return false
		}
		from, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(data[from : from+10000])
		panic(http.ErrAbortHandler)
	}
	s.Config.ErrorLog = nil
	address := s.URL + "/files/" + p.File
	path, err := o.Fetch.Fetch(context.Background(), address, p, o.Cache, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, data) {
		t.Error("another content")
	}
	if want := []string{"", "bytes=10000-", "bytes=20000-", "bytes=30000-", "bytes=40000-"}; !slices.Equal(s.ranges, want) {
		t.Errorf("asked for %q, want %q", s.ranges, want)
	}
	// What is there is not fetched again.
	before := s.asked.Load()
	if _, err := o.Fetch.Fetch(context.Background(), address, p, o.Cache, func(int64) {}); err != nil || s.asked.Load() != before {
		t.Errorf("fetched again: %v", err)
	}
	// A part of an earlier run, and a server that does not know ranges.
	s.serve = func(w http.ResponseWriter, r *http.Request, data []byte) bool { w.Write(data); return true }
	os.Rename(path, path+".part")
	os.Truncate(path+".part", 333)
	if _, err := o.Fetch.Fetch(context.Background(), address, p, o.Cache, func(int64) {}); err != nil {
		t.Error(err)
	}
}

func TestFetchRefuses(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 64)
	p := pinOf("thing", data)
	for _, c := range []struct {
		name     string
		serve    func(w http.ResponseWriter, r *http.Request, data []byte) bool
		want     string
		requests int64
	}{
		{"other content", func(w http.ResponseWriter, r *http.Request, data []byte) bool {
			w.Write(bytes.ToUpper(data))
			return true
		}, "SHA-256 is", 1},
		{"longer", func(w http.ResponseWriter, r *http.Request, data []byte) bool {
			w.Write(append(data, 'x'))
			return true
		}, "1025 bytes, want 1024", 1},
		{"a page of an error", func(w http.ResponseWriter, r *http.Request, data []byte) bool {
			http.Error(w, "no", http.StatusForbidden)
			return true
		}, "403", 1},
		{"silence", func(w http.ResponseWriter, r *http.Request, data []byte) bool {
			w.Write(data[:100])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}, "nothing arrived for 300ms", 0},
		{"no answer", func(w http.ResponseWriter, r *http.Request, data []byte) bool {
			<-r.Context().Done()
			return true
		}, "nothing arrived for 300ms", attempts},
		{"server in trouble", func(w http.ResponseWriter, r *http.Request, data []byte) bool {
			http.Error(w, "no", http.StatusBadGateway)
			return true
		}, "502", attempts},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, true, map[Pin][]byte{p: data})
			s.serve = c.serve
			o, _ := options(t, s, p)
			_, err := Install(context.Background(), o)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), p.File) {
				t.Errorf("error %v, want one with %q and the file's name", err, c.want)
			}
			if n := s.asked.Load(); c.requests > 0 && n != c.requests {
				t.Errorf("asked %d times, want %d", n, c.requests)
			}
			if got := list(t, o.To); len(got) > 0 {
				t.Errorf("something was installed: %q", got)
			}
		})
	}
}

func TestInstallRefuses(t *testing.T) {
	good := fakeWheel(t, map[string]string{"a.so": "a"})
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"no zip", []byte("<html>"), "not a whole wheel"},
		{"cut short, with the checksum of that", good[:len(good)-30], "not a whole wheel"},
		{"leads out", fakeWheel(t, map[string]string{"../a.so": "a"}), "leads elsewhere"},
		{"absolute", fakeWheel(t, map[string]string{"/a.so": "a"}), "leads elsewhere"},
		{"wrong checksum within", fakeWheel(t, map[string]string{"a.so": "a"}, "a.so"), "wheel's list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := pinOf("thing", c.data)
			o, _ := options(t, newShop(t, true, map[Pin][]byte{p: c.data}), p)
			if _, err := Install(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if got := list(t, o.To); len(got) > 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}
	p := pinOf("thing", good)
	t.Run("the check fails", func(t *testing.T) {
		o, _ := options(t, newShop(t, true, map[Pin][]byte{p: good}), p)
		o.Check = func(string) error { return errors.New("no plugin") }
		if _, err := Install(context.Background(), o); err == nil || err.Error() != "no plugin" {
			t.Error(err)
		}
		if got := list(t, o.To); len(got) > 0 {
			t.Errorf("left behind: %q", got)
		}
		if got := list(t, o.Cache); len(got) != 1 {
			t.Errorf("the download is lost: %q", got)
		}
	})
	t.Run("unknown to the index", func(t *testing.T) {
		o, _ := options(t, newShop(t, true, nil), p)
		if _, err := Install(context.Background(), o); err == nil || !strings.Contains(err.Error(), "does not know thing") || !errors.As(err, new(*IndexError)) {
			t.Error(err)
		}
	})
	t.Run("another version in the index", func(t *testing.T) {
		q := p
		q.File = "thing-2.0-py3-none-manylinux_2_17_x86_64.whl"
		o, _ := options(t, newShop(t, false, map[Pin][]byte{q: good}), p)
		if _, err := Install(context.Background(), o); err == nil || !strings.Contains(err.Error(), "has no file "+p.File) {
			t.Error(err)
		}
	})
	t.Run("passwords stay secret", func(t *testing.T) {
		for _, address := range []string{"http://me:secret@127.0.0.1:1/simple", "ftp://me:secret@host/simple"} {
			o, _ := options(t, newShop(t, true, nil), p)
			o.Index.URL = address
			if _, err := Install(context.Background(), o); err == nil || strings.Contains(err.Error(), "secret") {
				t.Error(err)
			}
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		o, _ := options(t, newShop(t, true, map[Pin][]byte{p: good}), p)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := Install(ctx, o); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("folder is a file", func(t *testing.T) {
		o, _ := options(t, nil, p)
		o.To = filepath.Join(t.TempDir(), "file")
		os.WriteFile(o.To, nil, 0o600)
		if _, err := Install(context.Background(), o); !errors.As(err, new(*FolderError)) {
			t.Errorf("error %v, want a FolderError", err)
		}
	})
}

func TestInstallFromFolder(t *testing.T) {
	a, b := fakeWheel(t, map[string]string{"a.so": "a"}), fakeWheel(t, map[string]string{"bb.so": "bb"})
	p, q := pinOf("jax-thing", a), pinOf("nvidia-thing", b)
	o, said := options(t, nil, p, q)
	o.From = t.TempDir()
	put := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(o.From, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(p.File, a)
	_, err := Install(context.Background(), o)
	if err == nil || !strings.Contains(err.Error(), "1 of 2 wheels are missing") || !strings.Contains(err.Error(), "pip download") || !strings.Contains(err.Error(), "nvidia-thing==1.0") {
		t.Fatalf("error %v, want one with the command that fetches the missing wheel", err)
	}
	put("nvidia_thing-2.5-py3-none-manylinux_2_27_x86_64.whl", b)
	folder, err := Install(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := list(t, folder); len(got) != 4 || !strings.Contains(said.String(), "warning: nvidia_thing-2.5") {
		t.Errorf("installed %q, said %q", got, said)
	}
	if got := list(t, o.From); len(got) != 2 {
		t.Errorf("the user's wheels are gone: %q", got)
	}
	put(p.File, b)
	if _, err := Install(context.Background(), o); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("with a damaged wheel: %v", err)
	}
	if got := list(t, folder); len(got) != 4 {
		t.Errorf("a failed installation took the old one away: %q", got)
	}
}

// pip takes a wheel for another machine only by the words in its file's name.
func TestPipDownloadNamesEveryPlatform(t *testing.T) {
	got := PipDownload([]Pin{
		{Project: "a-b", Version: "1.0", File: "a_b-1.0-py3-none-manylinux_2_27_x86_64.whl"},
		{Project: "c", Version: "2", File: "c-2-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"},
		{Project: "d", Version: "3", File: "d-3-py3-none-manylinux_2_27_x86_64.whl"},
		{Project: "e", Version: "4", File: "e-4-py3-none-any.whl"},
	})
	want := "pip download --no-deps --only-binary :all: -d wheels --platform manylinux_2_27_x86_64" +
		" --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 a-b==1.0 c==2 d==3 e==4"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
