// To the loudspeaker: what the server sends waits here as short as the line allows, and never longer than a bound.
// "spare" is how much was
// left when there was least, over a while: sound that is never used is dropped with a cross-fade of 8 ms; too
// little is answered by
// keeping more.

const ms = sampleRate / 1000;
const fadeLength = Math.round(8 * ms),
  rampLength = Math.round(3 * ms);
const least = 5 * ms,
  most = 80 * ms;

class Playout extends AudioWorkletProcessor {
  constructor({ processorOptions: { maxDelayMs } }) {
    super();
    this.ring = new Float32Array(1 << 18);
    this.bound = maxDelayMs * ms;
    this.begin();
    this.port.onmessage = ({ data }) => {
      if (data.from) {
        this.from?.close();
        this.from = data.from;
        this.from.onmessage = (e) => (e.data === 'begin' ? this.begin() : this.take(e.data));
      }
      if (data.bound) this.bound = data.bound * ms;
      if ('record' in data) {
        this.recording = data.record;
        if (!data.record) this.giveRecord();
      }
      if (data.listen) {
        this.heard = new Float32Array(data.listen);
        this.heardAt = 0;
        this.heardFrom = -1;
      }
    };
  }

  // begin starts anew, as after a lost line.
  begin() {
    this.read = this.write = 0;
    this.wanted = 10 * ms;
    this.state = 'filling';
    this.ramp = 0;
    this.skip = 0;
    this.played = this.dropped = 0;
    this.underruns = this.underruns ?? 0;
    this.lows = [];
    this.low = Infinity;
    this.mean = 0; // of the fill, over about a second
    this.window = this.calm = 0;
    this.peak = this.power = this.measured = 0;
    this.last = 0;
    this.record = this.record ?? [];
  }

  get fill() {
    return this.write - this.read;
  }

  take(x) {
    const mask = this.ring.length - 1;
    for (let i = 0; i < x.length; i++) this.ring[(this.write + i) & mask] = x[i];
    this.write += x.length;
    if (this.fill > this.bound + this.wanted && !this.skip) this.drop(this.fill - this.wanted - 20 * ms);
  }

  // drop leaves out n samples, softly where sound is playing.
  drop(n) {
    n = Math.min(Math.floor(n), this.fill - fadeLength - 256);
    if (n <= 0) return;
    if (this.state === 'filling') {
      this.read += n;
      this.played += n;
      this.dropped += n;
      return;
    }
    this.skip = n;
    this.fade = 0;
  }

  next() {
    const mask = this.ring.length - 1;
    let v = this.ring[this.read & mask];
    if (this.skip) {
      const w = this.fade++ / fadeLength;
      v = v * (1 - w) + this.ring[(this.read + this.skip) & mask] * w;
      if (this.fade === fadeLength) {
        this.read += this.skip;
        this.played += this.skip;
        this.dropped += this.skip;
        this.skip = 0;
        this.low = Infinity;
        this.lows = [];
      }
    }
    this.read++;
    this.played++;
    return v;
  }

  process(_, outputs) {
    const out = outputs[0][0];
    if (this.state === 'filling' && this.fill >= this.wanted + 20 * ms) {
      this.state = 'playing';
      this.ramp = 0;
      this.low = Infinity;
      this.mean = Math.max(this.mean, this.fill - 10 * ms);
    }
    for (let i = 0; i < 128; i++) {
      if (this.state === 'playing' && this.fill <= (this.skip ? this.skip + fadeLength - this.fade : 0)) {
        this.state = 'filling';
        this.skip = 0;
        this.underruns++;
        this.wanted = Math.min(most, this.wanted + 6 * ms);
        this.calm = 0;
        this.lows = [];
      }
      if (this.state === 'playing') {
        this.ramp = Math.min(1, this.ramp + 1 / rampLength);
        this.last = out[i] = this.next() * this.ramp;
      } else {
        this.last = out[i] = this.last * 0.985; // let the last sample die away rather than click
      }
      this.peak = Math.max(this.peak, Math.abs(out[i]));
      this.power += out[i] * out[i];
    }
    for (const other of outputs[0].slice(1)) other.set(out);
    this.follow();
    if (this.recording) {
      this.record.push(out.slice());
      if (this.record.length > 375) this.giveRecord();
    }
    if (this.heard) this.listen(out);
    this.measured += 128;
    if (this.measured >= sampleRate / 20) this.tell();
    return true;
  }

  // follow looks at how much was spare, and drops what is not needed: over 60 ms after a second, over 8 ms after
  // five.
  follow() {
    this.mean += ((this.fill - this.mean) * 128) / sampleRate;
    if (this.state === 'playing' && !this.skip) this.low = Math.min(this.low, this.fill);
    this.window += 128;
    if (this.window < sampleRate) return;
    this.window = 0;
    if (this.low < Infinity) this.lows.push(this.low);
    if (this.lows.length > 5) this.lows.shift();
    this.low = Infinity;
    if (++this.calm % 15 === 0) this.wanted = Math.max(least, this.wanted - 2 * ms);
    if (!this.lows.length || this.skip) return;
    const spare = this.lows.length === 5 ? Math.min(...this.lows) : Infinity;
    const now = this.lows.at(-1);
    if (now > this.wanted + 60 * ms) this.drop(now - this.wanted);
    else if (spare < Infinity && spare > this.wanted + 8 * ms) this.drop(spare - this.wanted);
  }

  listen(out) {
    if (this.heardFrom < 0) this.heardFrom = currentFrame;
    const n = Math.min(128, this.heard.length - this.heardAt);
    this.heard.set(out.subarray(0, n), this.heardAt);
    this.heardAt += n;
    if (this.heardAt < this.heard.length) return;
    this.port.postMessage({ heard: this.heard, heardFrom: this.heardFrom }, [this.heard.buffer]);
    this.heard = null;
  }

  giveRecord() {
    this.port.postMessage({ recorded: this.record });
    this.record = [];
  }

  tell() {
    this.port.postMessage({
      frame: currentFrame + 128,
      played: this.played,
      dropped: this.dropped,
      underruns: this.underruns,
      state: this.state,
      fillMs: this.fill / ms,
      meanMs: this.mean / ms,
      peak: this.peak,
      rms: Math.sqrt(this.power / this.measured),
    });
    this.peak = this.power = this.measured = 0;
  }
}

registerProcessor('playout', Playout);
