package run

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
	"slices"
	"strconv"

	"github.com/starvc/vc/internal/atomicfile"
)

// Record is one line of metrics.jsonl.
type Record struct {
	Step    int
	Rate    float64
	Metrics map[string]float32
}

func (m Record) line() []byte {
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

// MetricsLog appends to a file of lines of metrics. What cannot be written waits for the next time.
type MetricsLog struct {
	file    *os.File
	size    int64 // of whole lines
	waiting []byte
}

// OpenMetrics opens the log at path and drops lines at or after step from, which a resumed run will make again.
func OpenMetrics(path string, from int) (*MetricsLog, error) {
	old, err := ReadMetrics(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
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
	return &MetricsLog{file: f, size: info.Size()}, nil
}

// Add appends records. After an error the file holds whole lines only.
func (l *MetricsLog) Add(records []Record) error {
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

// Close writes what waits and ends the log.
func (l *MetricsLog) Close() error {
	return errors.Join(l.Add(nil), l.file.Close())
}

// ReadMetrics reads a metrics file up to the first line that is not whole.
func ReadMetrics(path string) ([]Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	defer f.Close()
	var records []Record
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var values map[string]*float64
		if err := json.Unmarshal(scanner.Bytes(), &values); err != nil || values["step"] == nil {
			break
		}
		m := Record{Step: int(*values["step"]), Metrics: map[string]float32{}}
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
