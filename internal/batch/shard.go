// Package batch keeps the books of conversions of whole corpora by many workers that know nothing of each other but a folder: which
// recordings there are, which of them a worker takes, and what is finished. There is no server and no lock. Every result is a whole
// file or none; when it stands, a line in a manifest says what it was made of, and with which checksum. Work that is done twice, by
// two workers or after a kill, replaces a whole file by a whole file and adds a line.
package batch

import (
	"fmt"
	"strconv"
	"strings"
)

// Shard is the share of one worker: of Count shares, that with the number Index, 0 to Count-1.
type Shard struct{ Index, Count int }

// whole is the share of a worker that is alone.
var whole = Shard{0, 1}

// ParseShard reads "3/20", which counts from 1.
func ParseShard(text string) (Shard, error) {
	i, n, ok := strings.Cut(text, "/")
	index, err := strconv.Atoi(i)
	count, err2 := strconv.Atoi(n)
	if !ok || err != nil || err2 != nil || count < 1 || index < 1 || index > count {
		return Shard{}, fmt.Errorf("%q: want I/N, share I of N, from 1/N to N/N", text)
	}
	return Shard{index - 1, count}, nil
}

// FromEnvironment finds the share of a task of a Slurm array or of an Indexed Job of Kubernetes. shards is how many there are in all,
// 0 where the environment is to say it. A task of an array without shards takes its place from the first task on; with shards its
// number counts from 0, so that some tasks of an array can be run again. found is false where there is neither of the two.
func FromEnvironment(getenv func(string) string, shards int) (s Shard, found bool, err error) {
	if task := getenv("SLURM_ARRAY_TASK_ID"); task != "" {
		s, err = fromSlurm(getenv, task, shards)
		return s, true, err
	}
	if task := getenv("JOB_COMPLETION_INDEX"); task != "" {
		if shards == 0 {
			return whole, true, fmt.Errorf("JOB_COMPLETION_INDEX is %s, which says which share this is, but not of how many: the number of shards is missing, which is the Job's number of completions", task)
		}
		index, err := strconv.Atoi(task)
		if err != nil || index < 0 || index >= shards {
			return whole, true, fmt.Errorf("JOB_COMPLETION_INDEX is %q, want 0 to %d: the number of shards is the Job's number of completions", task, shards-1)
		}
		return Shard{index, shards}, true, nil
	}
	return whole, false, nil
}

func fromSlurm(getenv func(string) string, task string, shards int) (Shard, error) {
	id, err := strconv.Atoi(task)
	if err != nil {
		return whole, fmt.Errorf("SLURM_ARRAY_TASK_ID is %q, want a number", task)
	}
	if shards > 0 {
		if id < 0 || id >= shards {
			return whole, fmt.Errorf("SLURM_ARRAY_TASK_ID is %d, and with %d shards the tasks count from 0 to %d: submit the array 0-%[3]d", id, shards, shards-1)
		}
		return Shard{id, shards}, nil
	}
	count, err := strconv.Atoi(getenv("SLURM_ARRAY_TASK_COUNT"))
	if err != nil || count < 1 {
		return whole, fmt.Errorf("SLURM_ARRAY_TASK_COUNT is %q, want the number of tasks: name the number N of shards, and submit the array 0-(N-1)", getenv("SLURM_ARRAY_TASK_COUNT"))
	}
	first, step := 0, 1
	for _, v := range []struct {
		name string
		to   *int
		min  int
	}{{"SLURM_ARRAY_TASK_MIN", &first, 0}, {"SLURM_ARRAY_TASK_STEP", &step, 1}} {
		text := getenv(v.name)
		if text == "" {
			continue
		}
		if *v.to, err = strconv.Atoi(text); err != nil || *v.to < v.min {
			return whole, fmt.Errorf("%s is %q, want a number from %d on", v.name, text, v.min)
		}
	}
	index := (id - first) / step
	if id < first || (id-first)%step != 0 || index >= count {
		return whole, fmt.Errorf("task %d of an array of %d that begins at %d: the array has gaps, so that a task's place is not known; "+
			"name the number N of shards, and submit the array 0-(N-1), of which any tasks may be run again", id, count, first)
	}
	return Shard{index, count}, nil
}

// Takes reports whether the item with the number i, from 0, of the whole list belongs to the shard. Neighbours go to different shards.
func (s Shard) Takes(i int) bool { return i%s.Count == s.Index }

// String is the shard for people, counted from 1: "3 of 20".
func (s Shard) String() string { return fmt.Sprintf("%d of %d", s.Index+1, s.Count) }
