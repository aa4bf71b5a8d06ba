// Package nn holds the layers of the networks as they run on a CPU after training: weights packed once when a layer
// is made, forward only, float32. A layer is immutable and may serve any number of streams at once. What a stream
// remembers lives outside it, in Windows: the frames that a convolution over time still has to look back at. Scratch
// memory is handed in by the caller, who takes it, with the Windows, out of one Arena; so a forward pass allocates
// nothing.
//
// Frames are rows: an activation is [frames, channels], frame-major. The bits of a frame's output never depend on
// how many frames are computed in one call, so a stream in chunks of any length equals the whole signal at once.
//
// A slice of the wrong length is a bug of the caller and panics.
package nn
