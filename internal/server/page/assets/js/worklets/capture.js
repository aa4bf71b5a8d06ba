// From the microphone: pieces of sound, their level, silence while muted, and a test signal in place of sound when
// one is asked for.
// Counts in samples since it began. Pieces go through a port of their own, past the page, so that a busy page
// delays none.

class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions: { piece } }) {
    super();
    this.buffer = new Float32Array(piece);
    this.filled = 0;
    this.count = 0;
    this.gain = 1;
    this.open = true;
    this.peak = this.power = this.measured = 0;
    this.test = null;
    this.port.onmessage = ({ data }) => {
      if (data.to) this.to = data.to;
      if ('open' in data) this.open = data.open;
      if (data.test) {
        this.test = data.test;
        this.testAt = 0;
      }
    };
  }

  process(inputs) {
    const channels = inputs[0];
    const step = 1 / (0.006 * sampleRate);
    for (let i = 0; i < 128; i++) {
      let v = 0;
      for (const c of channels) v += c[i];
      if (channels.length > 1) v /= channels.length;
      this.gain = this.open ? Math.min(1, this.gain + step) : Math.max(0, this.gain - step);
      const said = v; // the meter shows the microphone even while it is muted
      v *= this.gain;
      if (this.test) {
        if (this.testAt === 0) this.port.postMessage({ testFrom: currentFrame + i });
        v = this.test[this.testAt++];
        if (this.testAt === this.test.length) this.test = null;
      }
      this.peak = Math.max(this.peak, Math.abs(said));
      this.power += said * said;
      this.buffer[this.filled++] = v;
      if (this.filled === this.buffer.length) {
        this.filled = 0;
        const piece = this.buffer.slice();
        const at = this.count + i + 1 - piece.length; // number of its first sample
        (this.to ?? this.port).postMessage({ piece, at }, [piece.buffer]);
      }
    }
    this.count += 128;
    this.measured += 128;
    if (this.measured >= sampleRate / 20) {
      this.port.postMessage({
        count: this.count,
        frame: currentFrame + 128,
        peak: this.peak,
        rms: Math.sqrt(this.power / this.measured),
      });
      this.peak = this.power = this.measured = 0;
    }
    return true;
  }
}

registerProcessor('capture', Capture);
