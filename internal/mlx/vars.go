package mlx

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Groups of variables that every run has: the weights, their exponential moving average, Adam's two moments and its
// step counts.
const (
	GroupWeights = "w"
	GroupEMA     = "ema"
	GroupMoment1 = "m1"
	GroupMoment2 = "m2"
	GroupCount   = "t"
)

// Vars holds the float32 variables of a training run by group and name. They live on the backend's device between
// steps. It is not safe for concurrent use.
type Vars struct {
	store *model.Store
	vars  map[string]*model.Variable
}

// NewVars returns an empty set.
func NewVars() *Vars {
	return &Vars{store: model.NewStore(), vars: map[string]*model.Variable{}}
}

// Store is the GoMLX store behind the variables, which an Exec needs.
func (v *Vars) Store() *model.Store { return v.store }

func key(group, name string) string { return group + "/" + name }

// Set creates or overwrites a variable. data is copied.
func (v *Vars) Set(group, name string, shape []int, data []float32) error {
	n := 1
	for _, d := range shape {
		n *= d
	}
	if n != len(data) {
		return fmt.Errorf("variable %s/%s: %d values for shape %v", group, name, len(data), shape)
	}
	t := tensors.FromFlatDataAndDimensions(slices.Clone(data), shape...)
	k := key(group, name)
	if have, ok := v.vars[k]; ok {
		if !slices.Equal(have.Shape().Dimensions, shape) {
			return fmt.Errorf("variable %s: shape %v, want %v", k, shape, have.Shape().Dimensions)
		}
		return have.SetValue(t)
	}
	created, err := v.store.CreateVariable("/"+k, t)
	if err != nil {
		return fmt.Errorf("variable %s: %w", k, err)
	}
	v.vars[k] = created
	return nil
}

// Get copies a variable's value from the device, with its shape.
func (v *Vars) Get(group, name string) (data []float32, shape []int, err error) {
	have, ok := v.vars[key(group, name)]
	if !ok {
		return nil, nil, fmt.Errorf("variable %s/%s: not there", group, name)
	}
	t, err := have.Value()
	if err != nil {
		return nil, nil, fmt.Errorf("variable %s/%s: %w", group, name, err)
	}
	return tensors.MustCopyFlatData[float32](t), slices.Clone(have.Shape().Dimensions), nil
}

// Has tells whether the variable is there.
func (v *Vars) Has(group, name string) bool { return v.vars[key(group, name)] != nil }

// Names lists the names in a group that start with prefix, sorted.
func (v *Vars) Names(group, prefix string) []string {
	var names []string
	for k := range maps.Keys(v.vars) {
		if g, name, _ := strings.Cut(k, "/"); g == group && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Node is the variable's value in a graph. An unknown name is a bug of ours: it panics.
func (v *Vars) Node(g *graph.Graph, group, name string) *graph.Node {
	have, ok := v.vars[key(group, name)]
	if !ok {
		panic(fmt.Sprintf("mlx: variable %s/%s is not there", group, name))
	}
	return have.NodeValue(g)
}

// Update sets the value that the variable has after the graph has run.
func (v *Vars) Update(group, name string, value *graph.Node) {
	v.vars[key(group, name)].SetNodeValue(value)
}

// Lookup returns a Net's weights: the variables of one group in one graph.
func (v *Vars) Lookup(g *graph.Graph, group string) func(string) *graph.Node {
	return func(name string) *graph.Node { return v.Node(g, group, name) }
}

// Frozen is Lookup without gradients.
func (v *Vars) Frozen(g *graph.Graph, group string) func(string) *graph.Node {
	return func(name string) *graph.Node { return graph.StopGradient(v.Node(g, group, name)) }
}
