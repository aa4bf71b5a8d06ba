// Package train teaches the small network by which the F0 tracker decides whether a frame has a voice, and writes it as
// the Go source that package features is built with. Command cmd/voicing runs it. Nothing of it is part of the product.
//
// The teachers are Praat, whose decisions see the future as well, and signals made by formula, whose voicing is known. The
// tracker itself turns signals into the network's inputs. Since what it decided before changes them a little, the first
// round takes the teacher's decisions, and the second those of the first round's network. The network that features is
// built with takes no part, so the same command makes the same network twice.
//
// The networks are fitted with Gorgonia, which is right for what is used of it here: matrix products, tanh, softplus and
// sums. docs/notes/engine.md says what it is not right for, and fit_test.go compares the gradients with differences.
package train
