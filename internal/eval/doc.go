// Package eval scores converted speech against recordings of the target speaker saying the same words.
//
// The score is mel-cepstral distortion (MCD; Kubichek, "Mel-cepstral distance measure for objective speech quality
// assessment", 1993): how far apart the spectral envelopes of two recordings are, in dB, frame against frame, once
// dynamic time warping has laid the same sounds of both side by side. Loudness does not count, silence does not
// count. The same alignment compares the melodies (correlation and distance of log-F0) and the voicing.
//
// A number alone says little: Parallel reports beside every converted recording the distortion of the unconverted
// source, which a conversion must come below, and that of the target's own recording after the same vocoder, below
// which no conversion with that vocoder can come. All means have bootstrap intervals.
//
// Vocoders themselves are scored by Copies: each makes sound of a recording's own frames, and since nothing has moved, that is
// compared with the recording frame against frame (CompareCopy).
package eval
