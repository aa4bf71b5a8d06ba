// Package train trains the phone network, which keeps the words of a conversion. It has the form of a generator's encoder: stem,
// blocks and bottleneck, so that its hidden layer, the bottleneck, can be compared between a source and its conversion, and so that
// it can be a generator's first encoder.
package train
