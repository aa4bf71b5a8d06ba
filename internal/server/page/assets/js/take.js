// Recording a while of the microphone, for a reference or a sentence.
import { microphone, worklet } from './audio.js';
import { join } from './wav.js';

// Recorder holds the microphone open; begin and end make one take of it. onlevel is told peak and mean amplitude,
// 20 times a second.
export class Recorder {
  static async open(onlevel, options) {
    const r = new Recorder();
    r.stream = await microphone(options);
    r.context = new AudioContext({ latencyHint: 'interactive' });
    await worklet(r.context, 'capture');
    r.node = new AudioWorkletNode(r.context, 'capture', { numberOfOutputs: 0, processorOptions: { piece: 960 } });
    r.node.port.onmessage = ({ data }) => {
      if (data.piece) {
        if (r.pieces) r.pieces.push(data.piece);
        else {
          r.before.push(data.piece);
          if (r.before.length > 12) r.before.shift();
        }
      } else if (data.frame) onlevel(data.peak, data.rms);
    };
    r.context.createMediaStreamSource(r.stream).connect(r.node);
    await r.context.resume();
    return r;
  }

  before = []; // a quarter of a second before the key: who is quick loses no first sound
  pieces = null;

  get rate() {
    return this.context.sampleRate;
  }
  get seconds() {
    return this.pieces ? (this.pieces.length * 960) / this.rate : 0;
  }
  begin() {
    this.pieces = [...this.before];
  }
  end() {
    const x = join(this.pieces);
    this.pieces = null;
    this.before = [];
    return x;
  }
  close() {
    this.stream.getTracks().forEach((t) => t.stop());
    this.context.close();
  }
}
