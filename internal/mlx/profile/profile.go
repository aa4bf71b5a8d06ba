// Package profile measures what a step of training spends its time on. A training lists the parts of its step; each is compiled
// and timed as a graph of its own, beside the optimizer, the transfers and the whole step, and stands in the report beside the
// least time in which the device could do it.
package profile

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
)

// The rounds of a profile: in each, everything is measured once, so that a disturbance from outside meets all alike.
const (
	LeastRounds = 5
	mostRounds  = 50
	RowSteps    = 3 // steps that are made without waiting in between
)

// Call compiles and runs a graph by name. The inputs stay, on the device too.
type Call func(name string, build func([]*Node) []*Node, inputs ...*tensors.Tensor) (*tensors.Tensor, error)

// Profiler measures one step. Its parts and terms are added first, then Measure and Sum are called.
type Profiler struct {
	Report *Report

	vars    *mlx.Vars
	adam    mlx.AdamW
	call    Call
	timers  []*timer
	byName  map[string]*timer
	parts   []Part
	others  []other
	product floor
	memory  floor
}

// New makes a profiler over the weights in vars, which get room for their gradients. r says what is measured.
func New(r *Report, vars *mlx.Vars, adam mlx.AdamW, call Call) (*Profiler, error) {
	p := &Profiler{Report: r, vars: vars, adam: adam, call: call, byName: map[string]*timer{}}
	for _, name := range vars.Names(mlx.GroupWeights, "") {
		data, shape, err := vars.Get(mlx.GroupWeights, name)
		if err != nil {
			return nil, err
		}
		for i := range data {
			data[i] *= 0.01
		}
		if err := vars.Set(groupProbe, name, shape, data); err != nil {
			return nil, err
		}
	}
	p.addGraph(timeCall, callProbe, schedule())
	return p, nil
}

// Part is one pass of a batch through a network, or through something else that a step is made of.
type Part struct {
	Step, Term, Of, What string  // see Way; Term is where it is added up
	Items                float64 // of the batch
	Name                 string  // of what is measured; parts that have it in common, and their gradients, are measured once
	Prefix               string  // of its weights; empty for none
	Learns               bool    // gradients of the weights are wanted
	To                   []int   // of which inputs gradients are wanted

	Inputs  func() []*tensors.Tensor            // what goes in
	Through func(in []*Node, frozen bool) *Node // what comes out; gradients of frozen weights are not wanted
	Counts  []run.Pass                          // what it has to do
}

func (x Part) back() bool { return x.Learns || len(x.To) > 0 }

// timerName is what the measurement is called, with its way back or without.
func (x Part) timerName(back bool) string {
	name := x.Name
	if back && x.Learns {
		name += ", gradients of its weights"
	}
	if back && len(x.To) > 0 {
		name += fmt.Sprintf(", gradients of inputs %v", x.To)
	}
	return name
}

// AddPart adds a pass.
func (p *Profiler) AddPart(x Part) {
	p.parts = append(p.parts, x)
	for _, back := range []bool{false, x.back()} {
		if name := x.timerName(back); p.byName[name] == nil {
			p.addGraph(name, p.probe(x, back), x.Inputs()...)
		}
	}
}

// other is a term that is no part.
type other struct {
	term, timer       string
	graph             bool // it took a call
	operations, bytes float64
}

// AddTerm adds something that is timed by itself and moves so many bytes.
func (p *Profiler) AddTerm(term string, bytes float64, run func() (time.Duration, error)) {
	p.others = append(p.others, other{term: term, timer: term, bytes: bytes})
	p.add(term, run)
}

// AddOptimizer adds the step of the networks whose weights have these prefixes; of names what it is called.
func (p *Profiler) AddOptimizer(of string, prefixes ...string) error {
	return p.addUpdate(Optimizing, "optimizer of "+of, p.optimizerProbe(prefixes), optimizerOperations, optimizerMoves, prefixes)
}

// AddAverage adds the exponential average of the weights with these prefixes.
func (p *Profiler) AddAverage(prefixes ...string) error {
	return p.addUpdate(averaging, averaging, p.averageProbe(prefixes), averageOperations, averageMoves, prefixes)
}

func (p *Profiler) addUpdate(term, name string, build func([]*Node) []*Node, operations, moves float64, prefixes []string) error {
	n, err := p.weightCount(prefixes...)
	if err != nil {
		return err
	}
	p.others = append(p.others, other{term: term, timer: name, graph: true, operations: operations * n, bytes: 4 * moves * n})
	p.addGraph(name, build, schedule())
	return nil
}

// AddStep adds the whole step: steps makes n of them, and waits for the last.
func (p *Profiler) AddStep(steps func(n int) error) {
	p.add(timeStep, timed(func() error { return steps(1) }))
	p.add(timeRow, timed(func() error { return steps(RowSteps) }))
}

// AddBatch adds the building of a batch, which a run does beside the step.
func (p *Profiler) AddBatch(build func() error) { p.add(timeBatch, timed(build)) }

func timed(do func() error) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		began := time.Now()
		err := do()
		return time.Since(began), err
	}
}

// timer is something that is measured once a round.
type timer struct {
	name  string
	run   func() (time.Duration, error)
	times []time.Duration
}

func (t *timer) measure() error {
	d, err := t.run()
	t.times = append(t.times, d)
	return err
}

// median in milliseconds.
func (t *timer) median() float64 {
	sorted := slices.Sorted(slices.Values(t.times))
	return sorted[len(sorted)/2].Seconds() * 1000
}

func (p *Profiler) add(name string, run func() (time.Duration, error)) {
	t := &timer{name: name, run: run}
	p.timers, p.byName[name] = append(p.timers, t), t
}

// graph makes a timer of a graph whose inputs stay on the device. Fetching the result waits for the device.
func (p *Profiler) graph(name string, build func([]*Node) []*Node, inputs ...*tensors.Tensor) *timer {
	return &timer{name: name, run: timed(func() error {
		out, err := p.call(name, build, inputs...)
		if err != nil {
			return err
		}
		mlx.Take(out)
		return nil
	})}
}

func (p *Profiler) addGraph(name string, build func([]*Node) []*Node, inputs ...*tensors.Tensor) {
	p.add(name, p.graph(name, build, inputs...).run)
}

// Names of timers.
const (
	timeCall  = "a call that does nothing"
	timeStep  = "a whole step"
	timeRow   = "steps in a row"
	timeBatch = "batch"
)

// Names of the terms that are not parts.
const (
	Optimizing = "optimizer"
	averaging  = "average of the weights"
	Feeding    = "inputs, on the host"
	Uploading  = "upload to the device"
	Calling    = "calls of the device"
)

// Measure compiles everything, and then measures in rounds for a while, or until the least number of rounds is made. say is told
// what comes next.
func (p *Profiler) Measure(ctx context.Context, duration time.Duration, say func(what string)) error {
	began := time.Now()
	say("what the device can do at best")
	var err error
	if p.product, err = p.productFloor(); err != nil {
		return err
	}
	if p.memory, err = p.memoryFloor(); err != nil {
		return err
	}
	p.timers = append(p.timers, p.product.timer, p.memory.timer)
	for i, t := range p.timers {
		if err := ctx.Err(); err != nil {
			return err
		}
		say(fmt.Sprintf("compiling %d of %d: %s", i+1, len(p.timers), t.name))
		if err := t.measure(); err != nil {
			return err
		}
		t.times = nil
	}
	r := p.Report
	r.CompileSeconds = time.Since(began).Seconds()
	say("measuring")
	began = time.Now()
	for r.Rounds = 0; r.Rounds < mostRounds; r.Rounds++ {
		if r.Rounds >= LeastRounds && time.Since(began) > duration {
			break
		}
		for _, t := range p.timers {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := t.measure(); err != nil {
				return err
			}
		}
	}
	return nil
}

// The card is watched for CardWatch, after CardLead in which nvidia-smi starts and its first line still looks back on other work.
const CardLead, CardWatch = 3 * time.Second, 6 * time.Second

// Steps makes whole steps as a run does: the inputs of all but the first can be made beside the step before.
type Steps[T any] struct {
	Load func(n int) (*run.Ahead[T], error)    // begins to make the inputs of n steps
	Make func(inputs T) ([]run.Results, error) // one step
}

// Row makes n steps and waits for the last.
func (s Steps[T]) Row(n int) (err error) {
	ready, err := s.Load(n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ready.Close()) }()
	return s.row(ready, n)
}

func (s Steps[T]) row(ready *run.Ahead[T], n int) error {
	var pending []run.Results
	for range n {
		inputs, err := ready.Next()
		if err != nil {
			return err
		}
		results, err := s.Make(inputs)
		if err != nil {
			return err
		}
		pending = append(pending, results...)
	}
	for _, r := range pending {
		r.Fetch()
	}
	return nil
}

// Unceasing gives watch a function that makes RowSteps and waits for the last, over inputs that are made ahead without end.
func (s Steps[T]) Unceasing(watch func(row func() error) error) (err error) {
	ready, err := s.Load(math.MaxInt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ready.Close()) }()
	return watch(func() error { return s.row(ready, RowSteps) })
}

// WatchCard makes whole steps for a while and nothing else, and reports how busy the card is meanwhile: a line a second would not
// tell them from the parts that are measured in turn with them. row makes RowSteps and waits for the last.
func (p *Profiler) WatchCard(ctx context.Context, d device.Device, lead, watch time.Duration, row func() error) error {
	use := device.WatchUse(d)
	defer use.Close()
	for _, d := range []time.Duration{lead, watch} {
		use.Take()
		for began := time.Now(); time.Since(began) < d; {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := row(); err != nil {
				return err
			}
		}
	}
	p.Report.CardUse = use.Take().Busy
	return nil
}
