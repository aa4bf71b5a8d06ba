package run

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestSaveRemedies(t *testing.T) {
	for err, want := range map[error]string{
		fmt.Errorf("snapshot: %w", &os.PathError{Op: "write", Path: "p", Err: syscall.ENOSPC}): "free some space",
		fmt.Errorf("snapshot: %w", syscall.EROFS):                                              "make the folder writable",
		fmt.Errorf("snapshot: %w", os.ErrPermission):                                           "make the folder writable",
		errors.New("other"): "earlier snapshots are whole",
	} {
		if got := SaveRemedy(err); !strings.Contains(got.Error(), want) || !errors.Is(got, err) {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}

func TestElection(t *testing.T) {
	var b, least Best
	for step, score := range []float64{math.NaN(), 1, 0.8, 0.83, 0.9, 0.85, 0.83, 0.81, 0.8, 2, math.NaN()} {
		b, _ = b.Elect(step, score)
		if want := []int{0, 1, 2, 3, 3, 3, 6, 7, 8, 8, 8}[step]; b.Step != want {
			t.Errorf("after %d: %d, want %d", step, b.Step, want)
		}
		var elected bool
		least, elected = least.ElectLeast(step, score)
		if want := []int{0, 1, 2, 2, 2, 2, 2, 2, 8, 8, 8}[step]; least.Step != want || elected != (want == step && step > 0) {
			t.Errorf("after %d the least: %d, %v, want %d", step, least.Step, elected, want)
		}
	}
	if b.Score != 0.8 || least.Score != 0.8 {
		t.Errorf("the least score is %g, %g", b.Score, least.Score)
	}
}

func TestBlame(t *testing.T) {
	var b Blame
	for i := range 4 {
		b.Add([]string{"/x/always.wav", fmt.Sprintf("/x/%d.wav", i), "/x/always.wav", fmt.Sprintf("/x/other%d.wav", i)})
	}
	if got := b.Often(); !strings.Contains(got, "always.wav") || strings.Contains(got, "other") {
		t.Errorf("often: %q", got)
	}
	if got := FileNames([]string{"a/1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}); !strings.HasPrefix(got, "1, 2") || !strings.HasSuffix(got, "8 and 2 more") {
		t.Errorf("names: %q", got)
	}
}
