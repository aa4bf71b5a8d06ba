// Package vocoder turns log-mel frames back into sound: by phase reconstruction, from the pitch, or from the pitch by a
// network that has learnt it from recordings.
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
// and noise, are filtered so that their mel bands come out as wanted. These three need no weights.
//
// Neural begins as SourceFilter does, with pulses and noise (NetSource), and has a network (Net) filter them in the frequency
// domain: it gives every bin of either a gain and a phase. What it learns is what SourceFilter's rules say wrong or not at all,
// such as how harmonics lie to each other and which part of a voice is breath. It is what conversion uses where there are
// weights, and SourceFilter elsewhere. What it has made of a recording's own frames, GriffinLim can refine, which begins with the
// phases that it then need not guess.
//
// Sample k of the output lies where sample k of the analysed signal lay: frame t is centred on sample t*Hop, as
// package features has it, and N frames describe any number of samples for which features.Config.NumFrames is N.
package vocoder
