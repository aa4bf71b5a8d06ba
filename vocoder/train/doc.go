// Package train trains the neural vocoder: the graphs of the network and of its discriminators, their losses, the recordings
// that they learn from, and the loop with its run folder. Package vocoder has the same arithmetic for the CPU, and a parity
// test holds the two together.
package train
