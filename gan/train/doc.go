// Package train teaches the networks of package gan to convert voices.
//
// The method is StarGAN v2 (Choi et al. 2020) on mel-spectrograms (Li et al. 2021, StarGANv2-VC): one generator G for all
// speakers, steered by a style code that comes from a mapping network F or from a style encoder E, and one discriminator D
// with a logit per speaker. networks.go holds the networks as graphs, losses.go one function per term of the loss,
// step.go the three training steps (warm-up, discriminator, generator), inputs.go what they take, score.go how snapshots are
// chosen, start.go what a run begins with, and run.go what `vc train` does around them.
//
// The order is a curriculum: first a warm-up without D, in which G rebuilds a speaker's own speech from the content of a
// disturbed copy, the pitch, and the style of another recording of that speaker; then the star with all its losses.
package train
