// Package vocoder turns log-mel frames back into sound without any trained weights, by phase reconstruction.
//
// A log-mel frame has lost two things: the fine structure of its spectrum, since bins were gathered into bands, and
// the phase of every bin. The first comes back by a non-negative inverse of the mel filter bank. The second is what
// this package is about: frames overlap, so only few phases fit together into one signal, and going back and forth
// between signal and spectrum while holding on to the wanted magnitudes finds some that nearly do (Griffin and Lim,
// "Signal estimation from modified short-time Fourier transform", 1984). GriffinLim does so for a whole recording,
// with momentum; RTISI does so for a stream, a few frames at a time. Both start from phases that continue the
// sinusoids of the frame before.
//
// The result is the right words in the right voice with a tinny ring to it. It is the baseline that a trained vocoder
// has to beat, and what works when there is none.
//
// Sample k of the output lies where sample k of the analysed signal lay: frame t is centred on sample t*Hop, as
// package features has it, and N frames describe any number of samples for which features.Config.NumFrames is N.
package vocoder
