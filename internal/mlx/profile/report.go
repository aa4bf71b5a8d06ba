package profile

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Report is what a Profiler has measured. Times are medians, in milliseconds.
type Report struct {
	Device            string `json:"device"`
	Preset            string `json:"preset"`
	What              string `json:"what"` // the step
	Batch             int    `json:"batch"`
	CropFrames        int    `json:"cropFrames"`
	StyleFrames       int    `json:"styleFrames,omitempty"`
	Speakers          int    `json:"speakers,omitempty"`
	BFloat16          bool   `json:"bfloat16"`
	NativeConvolution bool   `json:"nativeConvolution"`

	CompileSeconds float64 `json:"compileSeconds"` // of all graphs
	Rounds         int     `json:"rounds"`         // that the medians are of

	GFLOPS      float64 `json:"gflops"`      // of products of matrices, at best
	MatrixWidth int     `json:"matrixWidth"` // of those
	GBs         float64 `json:"gbPerSecond"` // of memory, at best, reading and writing
	VectorMB    float64 `json:"vectorMB"`    // of the vectors that were added

	StepMS     float64 `json:"stepMs"`    // a whole step, waited for
	RowMS      float64 `json:"rowMs"`     // a step of several in a row, waited for at the end
	BatchMS    float64 `json:"batchMs"`   // building a batch, which runs beside the step
	PartsMS    float64 `json:"partsMs"`   // sum of the terms
	RestMS     float64 `json:"restMs"`    // of the step, beyond the terms: losses, and what parts cost in company; below 0 where fusion saves
	FloorMS    float64 `json:"floorMs"`   // sum of the terms' floors, the higher of each
	StepGFLOP  float64 `json:"stepGFLOP"` // operations
	Utilised   float64 `json:"utilised"`  // share of GFLOPS that the whole step reaches, 0 to 1
	Terms      []Term  `json:"terms"`
	Passes     []Way   `json:"passes"`     // of which the parts' terms are made
	CallTimeMS float64 `json:"callTimeMs"` // of a graph that does nothing: taken off all other times

	// CardUse is the share of the time in which the card is busy while nothing but whole steps is made, 0 to 1; 0 where it is not known.
	CardUse float64 `json:"cardUse,omitempty"`
}

// Term is one part of the step.
type Term struct {
	Name  string  `json:"name"`
	MS    float64 `json:"ms"`
	Share float64 `json:"share"` // of StepMS, 0 to 1
	Work
}

// Way is one pass through a part, all of a batch.
type Way struct {
	Step       string  `json:"step"` // D or G
	Network    string  `json:"network"`
	What       string  `json:"what"`
	Items      float64 `json:"items"`
	ForwardMS  float64 `json:"forwardMs"`
	BackwardMS float64 `json:"backwardMs"` // by difference; below 0 it is noise
	Work
}

// Work is what something has to do at the least, and how long that takes at the device's best.
type Work struct {
	GFLOP        float64 `json:"gflop"`
	MB           float64 `json:"mb"` // written and read
	OperationsMS float64 `json:"operationsFloorMs"`
	MemoryMS     float64 `json:"memoryFloorMs"`
}

func (w Work) floor() float64 { return max(w.OperationsMS, w.MemoryMS) }

func (w Work) plus(v Work) Work {
	return Work{w.GFLOP + v.GFLOP, w.MB + v.MB, w.OperationsMS + v.OperationsMS, w.MemoryMS + v.MemoryMS}
}

// work of so many operations and bytes.
func (r *Report) work(operations, bytes float64) Work {
	return Work{operations / 1e9, bytes / 1e6, operations / r.GFLOPS / 1e6, bytes / r.GBs / 1e6}
}

// Operations per weight of the optimizer and of the average, and the numbers that they move: the optimizer reads the
// gradient twice, for its norm and for itself, and a weight and its second moment, and writes these two.
const (
	optimizerOperations, optimizerMoves = 16, 6
	averageOperations, averageMoves     = 3, 3
)

// Sum makes the report of the measurements, the terms in order and then those that every step has; a step takes so many calls.
func (p *Profiler) Sum(calls int, order ...string) error {
	r := p.Report
	call := p.byName[timeCall].median()
	net := func(name string) float64 { return max(p.byName[name].median()-call, 0) }
	r.CallTimeMS = call
	r.MatrixWidth, r.VectorMB = p.product.extent, 4*float64(p.memory.extent)/1e6
	r.GFLOPS = productOperations(p.product.extent) / max(p.product.timer.median()-call, 1e-6) / 1e6
	r.GBs = memoryBytes(p.memory.extent) / max(p.memory.timer.median()-call, 1e-6) / 1e6
	r.StepMS, r.RowMS, r.BatchMS = p.byName[timeStep].median(), p.byName[timeRow].median()/RowSteps, p.byName[timeBatch].median()

	terms := map[string]*Term{}
	term := func(name string, ms float64, w Work) {
		t := terms[name]
		if t == nil {
			t = &Term{Name: name}
			terms[name] = t
		}
		t.MS += ms
		t.Work = t.Work.plus(w)
	}
	number := 4.0
	if r.BFloat16 {
		number = 2
	}
	for _, x := range p.parts {
		bytes, operations := 0.0, 0.0
		if x.Prefix != "" {
			n, err := p.weightCount(x.Prefix)
			if err != nil {
				return err
			}
			bytes = 4 * n
			if x.Learns { // read once more, and the gradient
				bytes *= 3
			}
		}
		for _, c := range x.Counts {
			operations += c.Operations()
			bytes += number * c.Moved()
		}
		w := r.work(operations, bytes)
		all, forth := net(x.timerName(x.back())), net(x.timerName(false))
		term(x.Term, all, w)
		r.Passes = append(r.Passes, Way{
			Step: x.Step, Network: x.Of, What: x.What, Items: x.Items, ForwardMS: forth, BackwardMS: all - forth, Work: w,
		})
	}
	for _, o := range p.others {
		ms := p.byName[o.timer].median()
		if o.graph {
			ms = net(o.timer)
		}
		term(o.term, ms, r.work(o.operations, o.bytes))
	}
	term(Calling, float64(calls)*call, Work{})

	for _, name := range append(order, CommonTerms...) {
		t := terms[name]
		if t == nil {
			continue
		}
		t.Share = t.MS / r.StepMS
		r.Terms = append(r.Terms, *t)
		r.PartsMS += t.MS
		r.FloorMS += t.floor()
		r.StepGFLOP += t.GFLOP
	}
	r.RestMS = r.StepMS - r.PartsMS
	r.Utilised = r.StepGFLOP / r.GFLOPS * 1e3 / r.StepMS
	return nil
}

// CommonTerms are those that are no parts, in the order of a report.
var CommonTerms = []string{Optimizing, averaging, Feeding, Uploading, Calling}

// WriteTable prints a profile for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(format string, a ...any) { fmt.Fprintf(t, format+"\n", a...) }
	gap := func() { t.Flush(); fmt.Fprintln(w) }
	kind, convolution := "float32", "of a matrix product"
	if r.BFloat16 {
		kind = "bfloat16"
	}
	if r.NativeConvolution {
		convolution = "the device's own"
	}
	row("device\t%s", r.Device)
	styles := ""
	if r.StyleFrames > 0 {
		styles = fmt.Sprintf("styles of %d, %d speakers, ", r.StyleFrames, r.Speakers)
	}
	row("step\tpreset %s, %s; batch %d, crops of %d frames, %s%s, convolution %s", r.Preset, r.What, r.Batch, r.CropFrames, styles, kind, convolution)
	row("at best\t%.4g GFLOPS (products of %d-wide matrices), %.3g GB/s (sums of vectors of %.0f MB)", r.GFLOPS, r.MatrixWidth, r.GBs, r.VectorMB)
	row("measured\tmedians of %d rounds, after %.0f s of compiling", r.Rounds, r.CompileSeconds)
	gap()

	row("term\tms\tshare\tGFLOP\tfloor, ms\tMB\tfloor, ms\ttimes the higher floor")
	for _, x := range r.Terms {
		row("%s\t%.2f\t%.1f %%\t%.3g\t%.2f\t%.3g\t%.2f\t%s", x.Name, x.MS, 100*x.Share, x.GFLOP, x.OperationsMS, x.MB, x.MemoryMS, over(x.MS, x.floor()))
	}
	row("sum\t%.2f\t%.1f %%\t%.3g\t\t\t\t%s", r.PartsMS, 100*r.PartsMS/r.StepMS, r.StepGFLOP, over(r.PartsMS, r.FloorMS))
	row("not attributable\t%.2f\t%.1f %%\t\t\t\t\t", r.RestMS, 100*r.RestMS/r.StepMS)
	row("whole step\t%.2f\t100 %%\t%.3g\t\t\t\t%s", r.StepMS, r.StepGFLOP, over(r.StepMS, r.FloorMS))
	gap()

	row("the step makes %.4g GFLOPS, %.1f %% of the device's best", r.StepGFLOP/r.StepMS*1e3, 100*r.Utilised)
	row("%d steps in a row, waited for at the end: %.2f ms each", RowSteps, r.RowMS)
	row("building a batch, on a goroutine beside the step: %.2f ms, %.1f %% of a step", r.BatchMS, 100*r.BatchMS/r.StepMS)
	if r.CardUse > 0 {
		row("while nothing but whole steps was made, the card was busy %.0f %% of the time", 100*r.CardUse)
	}
	gap()

	row("step\tpart\titems\tforward, ms\tbackward, ms\tfloors, ms: operations\tmemory\twhat it does")
	for _, x := range r.Passes {
		row("%s\t%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%s", x.Step, x.Network, x.Items, x.ForwardMS, x.BackwardMS, x.OperationsMS, x.MemoryMS, x.What)
	}
	return t.Flush()
}

// over is a time in units of a floor.
func over(ms, floor float64) string {
	if floor <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", ms/floor)
}
