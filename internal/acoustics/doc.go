// Package acoustics disturbs clean speech as the world does: rooms, noise, babble, hum, narrow lines and bad
// microphones. A network that shall hear words anywhere is trained and scored on what it makes.
//
// All is linear but the last step, so a [Mixer] works on the spectrum of a whole stretch of sound: one transform
// there, products and sums, and one back.
package acoustics
