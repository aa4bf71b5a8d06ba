// Package features turns a waveform into what the networks see, and a spectrum back into a waveform.
//
// A frame is a picture of WinLength samples, taken every Hop samples: the magnitudes of its Fourier transform are
// gathered into NMels bands that are narrow where the ear is sharp and wide where it is not (the mel scale), and
// their logarithm is mapped to about zero mean and unit variance. Beside it stand the fundamental frequency (F0)
// and the energy of the same samples. One Config describes all of this; it travels inside every model file, since
// a network fed with features of another configuration produces noise.
//
// Frame t is centred on sample t*Hop and sees samples t*Hop-WinLength/2 up to, but not including,
// t*Hop+WinLength/2, zeros where the signal has none. So it is known WinLength/2 samples after its centre, and the
// same code serves a file at once and a stream in pieces of any length, with identical bits. Only F0 has two ways: F0Tracker
// decides as a stream must, and TrackRecording mends that with hindsight, for files and for training (ExtractRecording).
package features
