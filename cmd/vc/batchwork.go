package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/batch"
)

// batchReport is how often work whose messages go to a file says how far it is.
const batchReport = 30 * time.Second

// shardWork is the work of one shard.
type shardWork struct {
	*converting
	c     *collection
	books *batch.Books
	items []*corpusItem // one for each job

	done, before, failed atomic.Int64 // before: of done, what was so already
}

// convert converts the items of a shard that are not finished.
func (c *collection) convert(ctx context.Context, books *batch.Books, items []*corpusItem, share batch.Shard) error {
	// Two workers on one shard begin at different places, and skip what they find done.
	first := rand.IntN(len(items))
	items = append(items[first:len(items):len(items)], items[:first]...)
	s := &shardWork{c: c, books: books, items: items}
	cores := min(c.o.cores(c.env.getenv), len(items))
	s.converting = c.work(items, "converting")
	s.converting.work, s.converting.finish = s.one, true
	if !c.o.silent {
		c.env.tell("shard %v: %d of %d recordings, %d at a time; manifest %s", share, len(items), len(c.items), cores, filepath.Join(c.o.outDir, batch.ManifestName(share)))
	}
	stop := s.report()
	s.run(ctx, cores)
	stop()
	s.bar.done()
	done, before := s.done.Load(), s.before.Load()
	if err := ctx.Err(); err != nil {
		if left := int64(len(items)) - done; left > 0 {
			return fmt.Errorf("stopped: %d of %d of this shard are done, and each of these is whole; the same command goes on with the other %d", done, len(items), left)
		}
	}
	if !c.o.silent {
		c.env.tell("shard %v: %d of %d are done, %d of these by an earlier run", share, done, len(items), before)
	}
	return failures(s.jobs)
}

// work prepares work on items, without saying which.
func (c *collection) work(items []*corpusItem, what string) *converting {
	w := &converting{env: c.env, o: c.o.convertOptions, model: c.model, ask: c.ask, jobs: make([]job, len(items)), parts: make([]float64, len(items))}
	for i, item := range items {
		w.jobs[i] = job{in: item.Path, out: filepath.Join(c.o.outDir, item.target), err: item.err}
	}
	if c.ask.Vocoder == vc.GriffinLim {
		w.longest = longestGriffinLim
	}
	w.bar = newProgress(c.env.stderr, c.env.stderrIsTerminal && !c.o.silent, what)
	return w
}

// one does a job, unless it is done.
func (s *shardWork) one(ctx context.Context, j *job, i int) (err error) {
	defer func() {
		if err != nil {
			s.failed.Add(1)
		} else {
			s.done.Add(1)
		}
	}()
	item := s.items[i]
	settings := s.c.settings(item)
	state, _, err := s.books.Judge(ctx, j.in, item.target, settings)
	if err != nil {
		return plainCause(err)
	}
	if state == batch.Whole {
		s.before.Add(1)
		return nil
	}
	entry := batch.Entry{Source: item.Path, Target: filepath.ToSlash(item.target), Settings: settings, MadeBy: s.env.version}
	if entry.SourceSum, err = batch.Checksum(ctx, j.in); err != nil {
		return plainCause(err)
	}
	if err := s.mayWrite(ctx, j, item.target); err != nil {
		return err
	}
	if j.voices, err = s.c.voicesOf(item); err != nil {
		return err
	}
	if tempo := s.c.tempos[item.Key]; tempo != nil {
		j.tempo = tempo()
	}
	duration, err := s.inPieces(ctx, j, i)
	if err != nil {
		return err
	}
	j.voices = nil
	entry.Seconds = duration.Seconds()
	if entry.Sum, err = batch.Checksum(ctx, j.out); err != nil {
		return err
	}
	if err := s.books.Add(entry); err != nil {
		return fmt.Errorf("its line in the manifest: %w", err)
	}
	return nil
}

// mayWrite makes the folder of a result, and refuses to overwrite what no conversion has made, which may be a recording under another name.
func (s *shardWork) mayWrite(ctx context.Context, j *job, target string) error {
	if err := os.MkdirAll(filepath.Dir(j.out), 0o777); err != nil {
		return fmt.Errorf("cannot make the folder %s: %w", filepath.Dir(j.out), plainCause(err))
	}
	there, err := os.Stat(j.out)
	if err != nil {
		return nil // making it says what is wrong
	}
	if source, err := os.Stat(j.in); err == nil && os.SameFile(source, there) {
		return fmt.Errorf("its result %s would overwrite itself: choose another --out-dir", j.out)
	}
	if !s.books.Knows(target) && audio.ReadTags(ctx, j.out).Mark() == "" {
		return fmt.Errorf("its result %s would overwrite a file that no conversion has made: remove that, or choose another --out-dir", j.out)
	}
	return nil
}

// report says now and then how far the work is, where no line on a terminal shows it, until stop is called.
func (s *shardWork) report() (stop func()) {
	if s.c.o.silent || s.env.stderrIsTerminal {
		return func() {}
	}
	var wait sync.WaitGroup
	end := make(chan struct{})
	start := time.Now()
	wait.Go(func() {
		tick := time.NewTicker(batchReport)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				s.say("%s", progressLine(s.done.Load(), s.before.Load(), s.failed.Load(), len(s.items), time.Since(start)))
			}
		}
	})
	return func() { close(end); wait.Wait() }
}

// progressLine foretells by the pace of what was done now.
func progressLine(done, before, failed int64, all int, took time.Duration) string {
	text := fmt.Sprintf("%d of %d are done", done, all)
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	if now := done - before + failed; now > 0 {
		left := time.Duration(float64(took) / float64(now) * float64(int64(all)-done-failed))
		text += fmt.Sprintf(", about %v left", left.Round(time.Second))
	}
	return text
}
