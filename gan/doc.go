// Package gan holds the conversion networks of the star as they run after training, in plain Go on a CPU. One
// generator G turns log-mel frames of anybody's speech into those of a voice, and which voice is said by a style, a
// short vector: E hears it in a recording, F draws it from noise for a known speaker, and the model stores one per
// speaker. (Choi et al. 2020, StarGAN v2; Li et al. 2021, StarGANv2-VC, for the idea; the networks here are causal,
// built from ConvNeXt blocks, and run as a stream.)
//
// A Model is a file's content: weights, speakers and every configuration. From it come a Generator per stream, a
// StyleEncoder and a MappingNetwork. What happens around them, features before and a vocoder behind, is not this
// package's business, but the feature configuration travels inside the model, so that nobody can get it wrong.
package gan
