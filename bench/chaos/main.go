// Command chaos trains, kills the training without warning at random moments, resumes it until it is done, and compares what was made
// with that of a run that was left alone. After each kill every snapshot that is listed must be whole and none may have gone back.
//
//	go build -o vc ./cmd/vc
//	go run ./bench/chaos -vc ./vc -kills 50 -device cpu
//
// Moments are drawn uniformly over the time that the undisturbed run took, so that reading, compiling, steps, snapshots and export are
// all hit. -kills is for each training; 50 with the four of them makes 200. The exit code is 1 if anything was lost or differs.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
)

// training is one of the commands, with what makes it cheap.
type training struct {
	name string
	args []string
}

// chaos is what all trainings share.
type chaos struct {
	vc, work, device string
	rng              *rand.Rand
}

// tally is what was seen of one training.
type tally struct {
	kills, runs, lost, differ, dead, leftovers int
	where                                      map[string]int // kills by what the run was doing
}

func main() {
	log.SetFlags(0)
	vc := flag.String("vc", "./vc", "the program")
	kills := flag.Int("kills", 50, "for each training")
	only := flag.String("trainings", "voices,vocoder,phones,judge", "which")
	device := flag.String("device", "cpu", "to train on")
	seed := flag.Uint64("seed", 1, "of the moments")
	limit := flag.Duration("limit", 0, "stop each training's kills after this time; 0 for never")
	voices := flag.String("voices", "testdata/voices", "folder with the speakers lj and kathleen")
	flag.Parse()
	work, err := os.MkdirTemp("", "vc-chaos-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(work)
	if err := gather(*voices, work); err != nil {
		log.Fatal(err)
	}
	c := &chaos{vc: *vc, work: work, device: *device, rng: rand.New(rand.NewPCG(*seed, 0))}
	speakers := filepath.Join(work, "speakers")
	all := []training{
		{"voices", []string{"train", "--speakers", speakers, "--preset", "tiny", "--rate", "16000", "--batch", "2", "--steps", "8", "--snapshot-every", "1", "--set", "validEvery=4"}},
		{"vocoder", []string{"train", "vocoder", "--speakers", speakers, "--preset", "tiny", "--batch", "2", "--steps", "8", "--snapshot-every", "1"}},
		{"phones", []string{"train", "phones", "--speakers", speakers, "--labels", filepath.Join(work, "labels"), "--preset", "tiny", "--batch", "2", "--steps", "8", "--snapshot-every", "1"}},
		{"judge", []string{"train", "judge", "--speakers", speakers, "--hold-out", "c,d", "--steps", "8", "--batch", "8", "--snapshot-every", "1"}},
	}
	failed := false
	fmt.Printf("%-8s %6s %6s %5s %6s %5s %9s  %s\n", "training", "kills", "runs", "lost", "differ", "dead", "leftovers", "killed while")
	for _, t := range all {
		if !slices.Contains(strings.Split(*only, ","), t.name) {
			continue
		}
		n, err := c.torment(t, *kills, *limit)
		if err != nil {
			fmt.Printf("%s: %v\n", t.name, err)
			failed = true
			continue
		}
		fmt.Printf("%-8s %6d %6d %5d %6d %5d %9d  %v\n", t.name, n.kills, n.runs, n.lost, n.differ, n.dead, n.leftovers, n.where)
		failed = failed || n.lost+n.differ+n.dead+n.leftovers > 0
	}
	if failed {
		os.RemoveAll(work)
		os.Exit(1)
	}
}

// gather makes four speakers of the two, and phone times that are as good as any here.
func gather(voices, work string) error {
	if err := os.MkdirAll(filepath.Join(work, "labels"), 0o777); err != nil {
		return err
	}
	for i, from := range []string{"lj", "kathleen"} {
		paths, err := filepath.Glob(filepath.Join(voices, from, "*.flac"))
		if err != nil || len(paths) < 8 {
			return fmt.Errorf("%s: no 8 recordings of %s (%v): name their folder with -voices", voices, from, err)
		}
		for j, path := range paths[:8] {
			name := string(rune('a' + i + 2*(j/4))) // a and b learn, c and d are held out by the judge
			dir := filepath.Join(work, "speakers", name)
			if err := os.MkdirAll(dir, 0o777); err != nil {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), data, 0o666); err != nil {
				return err
			}
			table, err := os.OpenFile(filepath.Join(work, "labels", name+".tsv"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
			if err != nil {
				return err
			}
			if at, _ := table.Seek(0, 2); at == 0 {
				fmt.Fprintln(table, "utt\tstart_s\tend_s\tphone")
			}
			utt := strings.TrimSuffix(filepath.Base(path), ".flac")
			for k, phone := range []string{"SIL", "AH", "S", "T", "IY", "SIL", "N", "AA", "M", "SIL"} {
				fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%s\n", utt, 0.1*float64(k), 0.1*float64(k+1), phone)
			}
			if err := table.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// command is the training into a run folder.
func (c *chaos) command(t training, dir string, resume bool) (*exec.Cmd, *bytes.Buffer) {
	var args []string
	if resume {
		for _, a := range t.args {
			if strings.HasPrefix(a, "--") {
				break
			}
			args = append(args, a)
		}
		args = append(args, "--resume")
	} else {
		args = append(slices.Clone(t.args), "--seed", "7", "-o", filepath.Join(dir, "made"))
	}
	cmd := exec.Command(c.vc, append(args, "--run", dir, "--device", c.device)...)
	said := &bytes.Buffer{}
	cmd.Stderr = said
	return cmd, said
}

// torment kills a training so many times, over as many runs as that takes.
func (c *chaos) torment(t training, kills int, limit time.Duration) (n tally, err error) {
	n.where = map[string]int{}
	ref := filepath.Join(c.work, t.name+"-reference")
	cmd, said := c.command(t, ref, false)
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return n, fmt.Errorf("undisturbed: %w: %s", err, said)
	}
	whole := time.Since(began)
	want, err := os.ReadFile(filepath.Join(ref, "made"))
	if err != nil {
		return n, err
	}
	log.Printf("%s: undisturbed %v, %d bytes", t.name, whole.Round(time.Millisecond), len(want))
	began = time.Now()
	for n.kills < kills && (limit == 0 || time.Since(began) < limit) {
		dir := filepath.Join(c.work, fmt.Sprintf("%s-%d", t.name, n.runs))
		n.runs++
		// A run is killed at most ten times and then left to end, so that runs of short steps end at all.
		for here, newest := 0, 0; ; here++ {
			_, noRun := os.Stat(filepath.Join(dir, "config.json"))
			cmd, said := c.command(t, dir, noRun == nil)
			if err := cmd.Start(); err != nil {
				return n, err
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			after := time.Duration(c.rng.Float64() * float64(whole))
			if here >= 10 || n.kills >= kills || limit > 0 && time.Since(began) > limit {
				after = time.Hour
			}
			killed := false
			var failure error
			select {
			case failure = <-ended:
			case <-time.After(after):
				cmd.Process.Kill()
				failure = <-ended
				killed = cmd.ProcessState.ExitCode() == -1
			}
			snapshots := run.Folder{Dir: dir}.Snapshots()
			steps := snapshots.Steps()
			for _, step := range steps {
				if _, _, err := mlx.ReadSnapshot(snapshots.Path(step)); err != nil {
					log.Printf("%s: lost: %v", t.name, err)
					n.lost++
				}
			}
			if newest > 0 && (len(steps) == 0 || steps[0] < newest) {
				log.Printf("%s: step %d is gone: %v", t.name, newest, steps)
				n.lost++
			}
			if len(steps) > 0 {
				newest = steps[0]
			}
			if killed {
				n.kills++
				n.where[doing(said.String())]++
				continue
			}
			if failure != nil {
				log.Printf("%s: dead end after kill %d: %v: %s", t.name, n.kills, failure, said)
				n.dead++
			} else if got, err := os.ReadFile(filepath.Join(dir, "made")); err != nil || !bytes.Equal(got, want) {
				log.Printf("%s: run %d differs from the undisturbed one (%v)", t.name, n.runs, err)
				n.differ++
			}
			n.leftovers += leftovers(dir)
			break
		}
		if err := os.RemoveAll(dir); err != nil {
			return n, err
		}
	}
	return n, nil
}

// doing is what a run was at when it was killed, by what it had said.
func doing(said string) string {
	switch {
	case strings.Contains(said, "8/8"):
		return "ending"
	case strings.Contains(said, "first step done"):
		return "steps"
	case strings.Contains(said, "compiling"):
		return "compiling"
	case strings.Contains(said, "training on"):
		return "beginning"
	}
	return "reading"
}

// leftovers counts the temporary files below a folder.
func leftovers(dir string) (n int) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			if ok, _ := filepath.Match(atomicfile.Leftovers, d.Name()); ok {
				n++
			}
		}
		return nil
	})
	return n
}
