package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/batch"
)

// check says what became of all shards. If all is whole it writes the manifests as one, in the order of the source.
func (c *collection) check(ctx context.Context, books *batch.Books) error {
	items := c.shareOf(batch.Shard{Count: 1})
	states, entries := make([]batch.State, len(items)), make([]batch.Entry, len(items))
	w := c.work(items, "checking")
	w.work = func(ctx context.Context, j *job, i int) (err error) {
		states[i], entries[i], err = books.Judge(ctx, j.in, items[i].target, c.settings(items[i]))
		return plainCause(err)
	}
	w.run(ctx, min(c.o.cores(c.env.getenv), len(items)))
	w.bar.done()
	if err := ctx.Err(); err != nil {
		return err
	}
	counts := map[batch.State]int{}
	versions := map[string]bool{}
	seconds := 0.0
	out := bufio.NewWriter(c.env.stdout)
	for i, item := range items {
		if w.jobs[i].err != nil {
			states[i] = batch.Missing
			if len(items) == 1 { // of several, each has been told
				c.env.tell("%s", w.jobs[i].describe())
			}
		}
		counts[states[i]]++
		if states[i] == batch.Whole {
			versions[entries[i].MadeBy] = true
			seconds += entries[i].Seconds
			continue
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", states[i], item.Path, filepath.ToSlash(item.target))
	}
	if err := out.Flush(); err != nil {
		return standardOutputError(err)
	}
	c.tellLeftovers()
	if len(versions) > 1 {
		c.env.tell("the results were made by %d versions of vc: see the manifests' last column", len(versions))
	}
	if n := counts[batch.Whole]; n < len(items) {
		return fmt.Errorf("%d of %d are whole; missing %d, broken %d, outdated %d: run the shards again, which do these and no others",
			n, len(items), counts[batch.Missing], counts[batch.Broken], counts[batch.Outdated])
	}
	if err := c.writeJoined(entries); err != nil {
		return err
	}
	if !c.o.silent {
		c.env.tell("all %d are whole, %v of sound: %s", len(items), time.Duration(seconds*float64(time.Second)).Round(time.Second), filepath.Join(c.o.outDir, "manifest.tsv"))
	}
	return nil
}

// writeJoined writes one manifest, and for a wav.scp one of the results.
func (c *collection) writeJoined(entries []batch.Entry) error {
	err := atomicfile.Write(filepath.Join(c.o.outDir, "manifest.tsv"), func(w io.Writer) error {
		if _, err := fmt.Fprintln(w, batch.Header); err != nil {
			return err
		}
		for _, e := range entries {
			if _, err := fmt.Fprintln(w, e.Line()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !c.scp {
		return err
	}
	return atomicfile.Write(filepath.Join(c.o.outDir, "wav.scp"), func(w io.Writer) error {
		for _, item := range c.items {
			if _, err := fmt.Fprintf(w, "%s %s\n", item.Key, filepath.Join(c.o.outDir, item.target)); err != nil {
				return err
			}
		}
		return nil
	})
}

// tellLeftovers counts the temporary files of killed workers. They may also be those of workers at work.
func (c *collection) tellLeftovers() {
	n := 0
	filepath.WalkDir(c.o.outDir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if match, _ := filepath.Match(atomicfile.Leftovers, d.Name()); match { // the pattern is a good one
				n++
			}
		}
		return nil
	})
	if n > 0 {
		c.env.tell("%[2]d temporary file(s) in %[1]s, of workers at work or killed; when none is at work: find %[1]s -name '%[3]s' -delete", c.o.outDir, n, atomicfile.Leftovers)
	}
}
