package vocoder

import "math"

// propagate gives the spectrum of one frame a first phase that continues the frame before it, so that a steady tone
// stays one (single pass spectrogram inversion: Beauregard, Harish and Wyse, 2015). Every peak of the magnitudes is
// taken for a sinusoid; its frequency is read off a parabola through the logarithms of the peak and its neighbours, its phase is that of
// the last frame at the same bin, turned by as much as the frequency turns within a hop, and all bins up to the
// valleys on both sides follow it.
//
// dst and magnitude are [Bins] of the new frame, last is [Bins] of the frame before; dst and last may be the same. The
// window lies in the middle of the Fourier transform's points, so the phase of a sinusoid alternates in sign from bin
// to bin.
func propagate(dst []complex128, magnitude []float64, last []complex128, hop, nFFT int) {
	n := len(magnitude)
	for first := 0; first < n; {
		// Climb to the peak, then walk down to the valley behind it.
		peak := first
		for peak+1 < n && magnitude[peak+1] >= magnitude[peak] {
			peak++
		}
		end := peak + 1
		for end < n && magnitude[end] < magnitude[end-1] {
			end++
		}
		var offset float64
		if peak > 0 && peak+1 < n {
			below, at, above := math.Log(magnitude[peak-1]), math.Log(magnitude[peak]), math.Log(magnitude[peak+1])
			if curve := below - 2*at + above; curve < 0 && !math.IsInf(curve, 0) {
				offset = 0.5 * (below - above) / curve
			}
		}
		// A sinusoid that comes out of silence begins with its crest in the middle of the window.
		phase := math.Pi * float64(peak%2)
		if c := last[peak]; c != 0 {
			phase = math.Atan2(imag(c), real(c)) + 2*math.Pi*math.Mod((float64(peak)+offset)*float64(hop)/float64(nFFT), 1)
		}
		s, c := math.Sincos(phase)
		if peak%2 != first%2 {
			s, c = -s, -c
		}
		for j := first; j < end; j++ {
			dst[j] = complex(magnitude[j]*c, magnitude[j]*s)
			s, c = -s, -c
		}
		first = end
	}
}

// impose writes magnitude with the phases of spec to dst, [Bins] each; dst and spec may be the same. Where spec is zero
// the phase is zero.
func impose(dst []complex128, magnitude []float64, spec []complex128) {
	for k, c := range spec {
		re, im := real(c), imag(c)
		square := re*re + im*im
		if square < 1e-60 {
			dst[k] = complex(magnitude[k], 0)
			continue
		}
		scale := magnitude[k] / math.Sqrt(square)
		dst[k] = complex(re*scale, im*scale)
	}
}
