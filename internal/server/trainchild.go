package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// childPatience is how long a child that was told to stop is waited for when the server stops. After that it goes on saving by itself.
const childPatience = time.Minute

// start begins a training, or goes on with one.
func (t *trains) start(tr *trainee, steps int, resume bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.s.c.Train == nil:
		return wrongState("this server cannot train: %s", t.s.c.NoTraining)
	case t.s.stopping.Err() != nil:
		return stopping()
	case steps < 0 || steps > maxSteps:
		return invalid(fmt.Sprintf("is %d, want 0 for the usual, to %d", steps, maxSteps), "body", "steps")
	case resume && tr.State != stopped && tr.State != failed:
		return wrongState("%s is %s, and only what was stopped can be gone on with", tr.Name, tr.State)
	case !resume && tr.State != recording && tr.State != failed:
		return wrongState("%s is %s, and cannot be begun", tr.Name, tr.State)
	}
	for _, o := range t.all {
		if o.State == running || o.State == halting {
			return wrongState("%s is being trained, and two at a time would be slower than one after the other: stop it first", o.Name)
		}
	}
	if !resume {
		if err := t.gather(tr); err != nil {
			return err
		}
		if err := t.s.root.RemoveAll(tr.path("run")); err != nil {
			return err
		}
		tr.Step, tr.Steps = 0, steps
	} else if _, err := t.s.root.Stat(tr.path("run", "config.json")); err != nil {
		return wrongState("%s has no run to go on with: begin it anew", tr.Name)
	}
	log, err := os.OpenFile(t.whole(tr, "log.txt"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	cmd := t.s.c.Train(TrainRequest{
		Speakers: t.whole(tr, "speakers"), Run: t.whole(tr, "run"), Output: t.whole(tr, "model.safetensors"), Steps: steps, Resume: resume,
	})
	// Not a pipe of ours: the child outlives a server that is killed.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, log, log
	cmd.Dir = t.whole(tr)
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("training: %w", err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	tr.State, tr.Message, tr.Started, tr.child, tr.pace = running, "", &now, cmd.Process, nil
	tr.PID, tr.PIDBegun = cmd.Process.Pid, processBegun(cmd.Process.Pid)
	t.s.log.Info("training begun", "training", tr.ID, "pid", tr.PID, "resumed", resume)
	t.s.begun.Go(func() {
		err := make(chan error, 1)
		go func() { err <- cmd.Wait() }()
		select {
		case e := <-err:
			t.ended(tr, e)
		case <-t.s.abandoned:
		}
	})
	return t.save(tr)
}

// gather lays the recordings that are to be learnt from into the folder that the training reads.
func (t *trains) gather(tr *trainee) error {
	if err := t.s.root.RemoveAll(tr.path("speakers")); err != nil {
		return err
	}
	folder := tr.path("speakers", tr.Speaker)
	if err := t.s.root.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if tr.About != "" {
		if err := t.s.root.WriteFile(folder+"/about.txt", []byte(tr.About+"\n"), 0o600); err != nil {
			return err
		}
	}
	speech, n := 0.0, 0
	for _, r := range tr.Recordings {
		if !r.OK {
			continue
		}
		if err := t.copy(tr.path("takes", r.ID+".wav"), folder+"/"+r.ID+".wav"); err != nil {
			return err
		}
		speech += r.Speech
		n++
	}
	if tr.Folder != "" {
		k, err := t.gatherFolder(tr, folder)
		if err != nil {
			return err
		}
		if n += k; k > 0 {
			speech = max(speech, leastSpeech) // the training will say
		}
	}
	if n < 2 || speech < leastSpeech {
		return wrongState("%.0f seconds of good speech in %d recordings are too little to learn a voice from: record more sentences", speech, n)
	}
	return nil
}

func (t *trains) copy(from, to string) error {
	in, err := t.s.root.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := t.s.root.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// gatherFolder copies the recordings of a folder of the server's, without following what leads out of it.
func (t *trains) gatherFolder(tr *trainee, to string) (n int, err error) {
	if err := t.allow(tr.Folder); err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(t.s.c.Recordings)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	below, err := root.OpenRoot(filepath.FromSlash(tr.Folder))
	if err != nil {
		return 0, err
	}
	defer below.Close()
	err = fs.WalkDir(below.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !isRecording(d.Name()) || n >= maxRecordings {
			return err
		}
		in, err := below.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := t.s.root.Create(fmt.Sprintf("%s/f%04d%s", to, n, extension(d.Name())))
		if err != nil {
			return err
		}
		defer out.Close()
		n++
		_, err = io.Copy(out, in)
		return err
	})
	return n, err
}

// ended is called when a child has ended, with what it ended with, nil also where that is not known.
func (t *trains) ended(tr *trainee, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tr.child, tr.PID, tr.PIDBegun = nil, 0, ""
	tr.Step, tr.Steps = t.progress(tr)
	_, missing := t.s.root.Stat(tr.path("model.safetensors"))
	finished := missing == nil && tr.Steps > 0 && tr.Step >= tr.Steps
	switch {
	case finished && err == nil:
		tr.State, tr.Message = done, ""
		if err := t.learn(tr); err != nil {
			t.s.log.Error("training", "training", tr.ID, "why", err)
			tr.State, tr.Message = failed, "the model that it made cannot be read"
		}
	case tr.State == halting || err == nil && tr.Step > 0 && tr.Step < tr.Steps:
		tr.State, tr.Message = stopped, ""
		if tr.Step == 0 {
			tr.Message = "it was stopped before its first step"
		}
	default:
		tr.State, tr.Message = failed, "it ended before its time"
		if lines := t.lastLines(tr); len(lines) > 0 {
			tr.Message = lines[len(lines)-1]
		}
	}
	t.s.log.Info("training ended", "training", tr.ID, "state", tr.State, "step", tr.Step, "of", tr.Steps, "error", fmt.Sprint(err))
	if err := t.save(tr); err != nil {
		t.s.log.Error("training", "training", tr.ID, "why", err)
	}
}

// adopt finds the child of an earlier server, or sees that it has ended. It is called before the server works.
func (t *trains) adopt(tr *trainee) {
	if tr.PID == 0 || tr.PIDBegun == "" || processBegun(tr.PID) != tr.PIDBegun {
		if tr.State == running {
			tr.State = halting // whoever ended it, it can be gone on with
		}
		t.ended(tr, nil)
		return
	}
	child, err := os.FindProcess(tr.PID)
	if err != nil {
		t.ended(tr, nil)
		return
	}
	tr.child = child
	t.s.log.Info("training found again", "training", tr.ID, "pid", tr.PID)
	pid, begun := tr.PID, tr.PIDBegun
	t.s.begun.Go(func() {
		for processBegun(pid) == begun { // it is no child of ours, so it cannot be waited for
			select {
			case <-time.After(time.Second):
			case <-t.s.abandoned:
				return
			}
		}
		t.ended(tr, nil)
	})
}

// halt tells a child to save and stop.
func (t *trains) halt(tr *trainee) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case tr.State == halting:
		return nil
	case tr.State != running || tr.child == nil:
		return wrongState("%s is not being trained", tr.Name)
	}
	if err := interrupt(tr.child); err != nil && !errors.Is(err, os.ErrProcessDone) { // who has ended has stopped
		return fmt.Errorf("training: %w", err)
	}
	tr.State = halting
	return t.save(tr)
}

// close tells the child to save and stop, and waits for it a while.
func (t *trains) close() {
	for _, tr := range t.list() {
		t.halt(tr) // what does not run needs no stopping
	}
	patience, cancel := context.WithTimeout(context.Background(), childPatience)
	defer cancel()
	for _, tr := range t.list() {
		for {
			t.mu.Lock()
			busy := tr.State == running || tr.State == halting
			t.mu.Unlock()
			if !busy || !pause(patience, context.Background(), 100*time.Millisecond) {
				break
			}
		}
	}
}

func (t *trains) list() []*trainee {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]*trainee(nil), t.all...)
}
