package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
)

// runFolder is everything that a run leaves on disk:
//
//	config.json          the settings, and what was asked for
//	lint.txt             what was found wrong with the recordings
//	metrics.jsonl        a line per step
//	snapshots/           everything that resuming needs
//	losses.png           curves
//	samples/step-N/      converted recordings and their pictures
//	report.html          all of this on one page
//	events.out.*         the same for TensorBoard
//	model.safetensors    the model, unless -o names another place
//	base.safetensors     a copy of the model that voices are added to, if any
type runFolder struct{ dir string }

func (r runFolder) path(parts ...string) string {
	return filepath.Join(append([]string{r.dir}, parts...)...)
}

// name is what a person calls the folder.
func (r runFolder) name() string {
	whole, err := filepath.Abs(r.dir)
	if err != nil {
		return r.dir
	}
	return filepath.Base(whole)
}

// request is what config.json holds.
type request struct {
	Config   Config `json:"config"`
	Speakers string `json:"speakers"`
	Output   string `json:"output"`
	Init     string `json:"init,omitempty"`
	Phones   string `json:"phones,omitempty"`
	Data     string `json:"data,omitempty"` // fingerprint of the prepared recordings

	Voices []gan.SpeakerInfo `json:"voices,omitempty"` // of the model that voices are added to
}

// vacant refuses a folder that holds something: nothing is written over.
func (r runFolder) vacant() error {
	entries, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("run folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("run folder %s is not empty: go on with it by --resume, or name another with --run", r.dir)
	}
	return nil
}

// create makes the folder of a new run.
func (r runFolder) create() error {
	if err := r.vacant(); err != nil {
		return err
	}
	if err := os.MkdirAll(r.path("snapshots"), 0o755); err != nil {
		return fmt.Errorf("run folder: %w: name a folder that can be written with --run", err)
	}
	return nil
}

// withWholePaths is the request as config.json keeps it: the run resumes from any folder.
func (q request) withWholePaths() (request, error) {
	q.Speakers = corpus.AbsoluteSpec(q.Speakers)
	for _, path := range []*string{&q.Output, &q.Init, &q.Phones} {
		if *path == "" || *path == builtIn {
			continue
		}
		whole, err := filepath.Abs(*path)
		if err != nil {
			return request{}, fmt.Errorf("run folder: %w", err)
		}
		*path = whole
	}
	return q, nil
}

func (r runFolder) writeRequest(q request) error {
	b, err := json.MarshalIndent(q, "", "  ")
	if err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	return audio.WriteAtomic(r.path("config.json"), func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}

func (r runFolder) readRequest() (request, error) {
	var q request
	b, err := os.ReadFile(r.path("config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return q, fmt.Errorf("run folder %s holds no run (no config.json): check --run, or leave --resume out", r.dir)
	}
	if err != nil {
		return q, fmt.Errorf("run folder: %w", err)
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return q, fmt.Errorf("run folder: %s: %w", r.path("config.json"), err)
	}
	return q, nil
}

const stepKey = "step" // of a snapshot's header

func (r runFolder) snapshotPath(step int) string {
	return r.path("snapshots", fmt.Sprintf("step-%08d.safetensors", step))
}

// snapshots lists the steps that have one, newest first.
func (r runFolder) snapshots() []int {
	entries, err := os.ReadDir(r.path("snapshots"))
	if err != nil {
		return nil
	}
	var steps []int
	for _, e := range entries {
		digits := strings.TrimSuffix(strings.TrimPrefix(e.Name(), "step-"), ".safetensors")
		if n, err := strconv.Atoi(digits); err == nil && e.Name() == filepath.Base(r.snapshotPath(n)) {
			steps = append(steps, n)
		}
	}
	slices.Sort(steps)
	slices.Reverse(steps)
	return steps
}

// save writes the snapshot of a step (that many steps are done) and then removes the oldest beyond keep.
func (r runFolder) save(vars *mlx.Vars, step, keep int) error {
	meta := map[string]string{stepKey: strconv.Itoa(step)}
	if err := vars.WriteSnapshot(r.snapshotPath(step), meta); err != nil {
		return err
	}
	steps := r.snapshots()
	for _, old := range steps[min(keep, len(steps)):] {
		if err := os.Remove(r.snapshotPath(old)); err != nil {
			return fmt.Errorf("remove old snapshot: %w", err)
		}
	}
	return nil
}

// load reads the newest snapshot that is whole. A broken one is named to warn and passed over. Without any, vars is nil;
// but where there are some and none is whole it is an error, for starting again would write over what may be rescued.
func (r runFolder) load(warn func(string, ...any)) (vars *mlx.Vars, step int, err error) {
	for _, n := range r.snapshots() {
		vars, meta, err := mlx.ReadSnapshot(r.snapshotPath(n))
		if err != nil {
			warn("%v: trying the one before", err)
			continue
		}
		if meta[stepKey] != strconv.Itoa(n) {
			warn("snapshot %s says step %s: trying the one before", r.snapshotPath(n), meta[stepKey])
			continue
		}
		return vars, n, nil
	}
	if n := len(r.snapshots()); n > 0 {
		return nil, 0, fmt.Errorf("run folder %s: none of its %d snapshots can be read: begin a new run with --run and, if there is a model, --init", r.dir, n)
	}
	return nil, 0, nil
}

// record is one line of metrics.jsonl.
type record struct {
	Step    int
	Rate    float64
	Metrics map[string]float32
}

func (m record) line() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"step":%d,"rate":%g`, m.Step, m.Rate)
	names := make([]string, 0, len(m.Metrics))
	for name := range m.Metrics {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		v := m.Metrics[name]
		if v-v != 0 { // JSON has no NaN
			fmt.Fprintf(&b, `,%q:null`, name)
			continue
		}
		fmt.Fprintf(&b, `,%q:%s`, name, strconv.FormatFloat(float64(v), 'g', -1, 32))
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// metricsLog appends to metrics.jsonl. What cannot be written waits for the next time.
type metricsLog struct {
	file    *os.File
	size    int64 // of whole lines
	waiting []byte
}

// openMetrics opens the log and drops lines at or after step from, which a resumed run will make again.
func (r runFolder) openMetrics(from int) (*metricsLog, error) {
	path := r.path("metrics.jsonl")
	old, err := readMetrics(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	err = audio.WriteAtomic(path, func(w io.Writer) error {
		for _, m := range old {
			if m.Step >= from {
				break
			}
			if _, err := w.Write(m.line()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("metrics: %w", err), f.Close())
	}
	return &metricsLog{file: f, size: info.Size()}, nil
}

// add appends records. After an error the file holds whole lines only.
func (l *metricsLog) add(records []record) error {
	for _, m := range records {
		l.waiting = append(l.waiting, m.line()...)
	}
	if _, err := l.file.Write(l.waiting); err != nil {
		return errors.Join(fmt.Errorf("metrics: %w", err), l.file.Truncate(l.size))
	}
	l.size += int64(len(l.waiting))
	l.waiting = l.waiting[:0]
	return nil
}

func (l *metricsLog) close() error {
	return errors.Join(l.add(nil), l.file.Close())
}

// readMetrics reads a metrics file up to the first line that is not whole.
func readMetrics(path string) ([]record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	defer f.Close()
	var records []record
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var values map[string]*float64
		if err := json.Unmarshal(scanner.Bytes(), &values); err != nil || values["step"] == nil {
			break
		}
		m := record{Step: int(*values["step"]), Metrics: map[string]float32{}}
		for name, v := range values {
			switch {
			case name == "step":
			case name == "rate" && v != nil:
				m.Rate = *v
			case v == nil:
				m.Metrics[name] = float32(math.NaN())
			default:
				m.Metrics[name] = float32(*v)
			}
		}
		records = append(records, m)
	}
	return records, scanner.Err()
}
