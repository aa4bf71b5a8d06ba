// Package vocoder turns log-mel frames back into sound without any trained weights, by phase reconstruction or from the
// pitch.
//
// A log-mel frame has lost two things: the fine structure of its spectrum, since bins were gathered into bands, and
// the phase of every bin. Phase reconstruction gets the first back by a non-negative inverse of the mel filter bank, and the
// second from the overlap of frames: only few phases fit together into one signal, and going back and forth
// between signal and spectrum while holding on to the wanted magnitudes finds some that nearly do (Griffin and Lim,
// "Signal estimation from modified short-time Fourier transform", 1984). GriffinLim does so for a whole recording,
// with momentum; RTISI does so for a stream, a few frames at a time. Both start from phases that continue the
// sinusoids of the frame before.
//
// That works as far as the frames show the harmonics of a voice, which recordings' do and a network's do not: those make
// a hoarse voice without pitch. SourceFilter is told the pitch besides, F0 per frame, and needs no guess: pulses at F0,
// and noise, are filtered so that their mel bands come out as wanted. It is what conversion uses; no vocoder here needs
// weights.
//
// Sample k of the output lies where sample k of the analysed signal lay: frame t is centred on sample t*Hop, as
// package features has it, and N frames describe any number of samples for which features.Config.NumFrames is N.
package vocoder
