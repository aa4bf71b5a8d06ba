package run

import (
	"errors"
	"slices"
	"testing"
)

// All that is made is taken in order or freed once, wherever the taking and the making end.
func TestAhead(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name            string
		to, fails, take int // fails: the step whose making fails, or -1
	}{
		{"all are taken", 9, -1, 4},
		{"none is taken", 9, -1, 0},
		{"some are left", 9, -1, 2},
		{"fewer than fit", 6, -1, 0},
		{"nothing to make", 5, -1, 0},
		{"an error, taken", 9, 6, 2},
		{"an error, left", 9, 6, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var made, freed []int
			a := StartAhead(5, c.to, func(step int) (int, error) {
				if step == c.fails {
					return 0, broken
				}
				made = append(made, step)
				return step, nil
			}, func(step int) error {
				freed = append(freed, step)
				return nil
			})
			var taken []int
			for i := range c.take {
				step, err := a.Next()
				if want := 5 + i; want == c.fails {
					if !errors.Is(err, broken) {
						t.Errorf("step %d: %d, %v, want the error", want, step, err)
					}
					continue
				} else if err != nil || step != want {
					t.Fatalf("step %d: %d, %v", want, step, err)
				}
				taken = append(taken, step)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			if got := slices.Concat(taken, freed); !slices.Equal(got, made) {
				t.Errorf("taken %v and freed %v of %v", taken, freed, made)
			}
			if len(made) > c.take+stepsAhead+1 {
				t.Errorf("made %v when %d were wanted", made, c.take)
			}
		})
	}
}

func TestAheadTellsOfWhatCannotBeFreed(t *testing.T) {
	stuck := errors.New("stuck")
	begun := make(chan bool, 1)
	a := StartAhead(0, 1, func(step int) (int, error) {
		begun <- true
		return step, nil
	}, func(int) error { return stuck })
	<-begun
	if err := a.Close(); !errors.Is(err, stuck) {
		t.Errorf("error %v", err)
	}
}
