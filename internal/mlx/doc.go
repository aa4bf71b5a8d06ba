// Package mlx is the project's small layer over GoMLX: the layers that GoMLX lacks or has with silently wrong gradients,
// the optimizer, the variables of a training run with their snapshots, and graphs that run on one device or several.
//
// Networks are written as functions from nodes to nodes over a Net, which hands out weights by name. A weight's name is
// the same in the graph, in a snapshot and in a model file, so that one list of names and shapes (for instance
// gan.Config.GeneratorParams) is the contract between training and inference.
package mlx
