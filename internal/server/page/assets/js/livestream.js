// The way of live sound: microphone -> capture worklet -> worker with the socket -> server -> worker -> playout
// worklet -> output. It knows at any
// time how late it is, counts what was left out, and measures the delay with bursts of sound.
import { microphone, worklet } from './audio.js';
import { streamAddress } from './api.js';

const pieceMs = 10;

// wellEnough is how well a measurement has to fit: undisturbed ones do by 0.7 to 0.9.
export const wellEnough = 0.6;

// LiveStream tells of itself by events: "state" (connecting, live, lost, ended), "stats", "notice" (words),
// "recorded".
export class LiveStream extends EventTarget {
  state = 'off';
  server = null; // the last "ready"
  stats = null; // the last "stats" of the server
  capture = { count: 0, frame: 0, peak: 0, rms: 0 };
  playout = {
    played: 0,
    frame: 0,
    meanMs: 0,
    fillMs: 0,
    dropped: 0,
    underruns: 0,
    peak: 0,
    rms: 0,
    state: 'filling',
  };
  rtt = 0; // ms, the median of the last pings
  #rtts = [];
  #first = 0; // number of the first sample that went through this connection
  #left = 0; // samples that the line did not take
  #serverDropped = 0; // samples
  #record = null;
  waitingMs = 0;
  voice = ''; // that is heard now, as the server says

  constructor(options) {
    super();
    this.o = options;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
  #set(state, detail) {
    this.state = state;
    this.#tell('state', { state, ...detail });
  }

  async begin() {
    const o = this.o;
    this.stream = await microphone({ id: o.microphone, echo: o.echo, noise: o.noise, gain: o.gain });
    const context = (this.context = new AudioContext({ latencyHint: 'interactive' }));
    await Promise.all([worklet(context, 'capture'), worklet(context, 'playout')]);
    this.rate = context.sampleRate;
    this.captureNode = new AudioWorkletNode(context, 'capture', {
      numberOfOutputs: 0,
      processorOptions: { piece: Math.round((this.rate * pieceMs) / 1000) },
    });
    this.playoutNode = new AudioWorkletNode(context, 'playout', {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { maxDelayMs: o.maxDelay },
    });
    this.captureNode.port.onmessage = ({ data }) => this.#captured(data);
    this.playoutNode.port.onmessage = ({ data }) => this.#played(data);
    this.#listen();
    context.createMediaStreamSource(this.stream).connect(this.captureNode);
    this.analyser = context.createAnalyser();
    this.playoutNode.connect(this.analyser);
    await this.setOutput(o.output, o.monitor);
    const up = new MessageChannel(),
      down = new MessageChannel();
    this.captureNode.port.postMessage({ to: up.port1, open: o.open }, [up.port1]);
    this.playoutNode.port.postMessage({ from: down.port1 }, [down.port1]);
    this.worker = new Worker(new URL('streamworker.js', import.meta.url), { type: 'module' });
    this.worker.onmessage = ({ data }) => this.#line(data);
    this.worker.postMessage(
      {
        type: 'begin',
        address: streamAddress(),
        fromMicrophone: up.port2,
        toLoudspeaker: down.port2,
        start: {
          format: 'f32le',
          sample_rate: this.rate,
          latency: o.latency,
          max_delay_ms: o.maxDelay,
          voice: o.voice,
          settings: o.settings,
        },
      },
      [up.port2, down.port2],
    );
    await context.resume();
    return this;
  }

  #listen() {
    this.stream
      .getAudioTracks()[0]
      .addEventListener('ended', () =>
        this.#tell('notice', {
          key: 'microphone',
          words: 'The microphone is gone: plugged out, or taken away by the browser. Start again with another.',
          bad: true,
        }),
      );
    this.context.addEventListener('statechange', () => {
      if (this.state === 'off') return;
      if (this.context.state !== 'running') {
        this.#tell('notice', {
          key: 'context',
          words: 'The browser has halted the sound of this page. It goes on when the page is looked at.',
          bad: true,
        });
        this.context.resume().catch(() => {});
      } else this.#tell('notice', { key: 'context', words: '' });
    });
    this.wake = () => {
      if (!document.hidden) {
        this.context.resume().catch(() => {});
        this.worker?.postMessage({ type: 'retry' });
      }
    };
    document.addEventListener('visibilitychange', this.wake);
    window.addEventListener('online', this.wake);
  }

  #captured(data) {
    if (data.testFrom !== undefined) {
      this.testFrom = data.testFrom;
      return;
    }
    this.capture = data;
  }

  #played(data) {
    if (data.heard) {
      this.gotHeard?.(data);
      return;
    }
    if (data.recorded) {
      this.#record?.push(...data.recorded);
      if (this.gotRecord) this.gotRecord();
      return;
    }
    if (data.underruns > this.playout.underruns && this.state === 'live') this.#tell('gap');
    this.playout = data;
    this.#tell('levels');
  }

  #line(m) {
    switch (m.type) {
      case 'connecting':
        this.#set('connecting', m);
        break;
      case 'ready':
        this.server = m;
        this.voice = m.voice;
        this.#serverDropped = this.#left = 0;
        this.#rtts = [];
        this.#set('live', m);
        break;
      case 'first':
        this.#first = m.at;
        break;
      case 'pong':
        if (m.tookMs !== undefined) {
          this.#rtts.push(m.tookMs);
          if (this.#rtts.length > 11) this.#rtts.shift();
          this.rtt = [...this.#rtts].sort((a, b) => a - b)[this.#rtts.length >> 1];
        }
        break;
      case 'stats':
        this.stats = m;
        this.#serverDropped = (m.dropped_total_ms * this.rate) / 1000;
        this.#tell('stats');
        break;
      case 'left':
        this.#left = m.left;
        this.#tell('notice', {
          key: 'line',
          words: 'The line to the studio is too slow: sound was left out.',
          bad: true,
          passing: true,
        });
        break;
      case 'waiting':
        this.waitingMs = m.ms;
        break;
      case 'stood':
        this.#tell('notice', {
          key: 'stood',
          words: `The page stood still for ${(m.ms / 1000).toFixed(1)} s. What was said then is lost; all goes on.`,
          passing: true,
        });
        break;
      case 'lost':
        this.#set('lost', m);
        break;
      case 'ended':
        this.#set('ended', m);
        break;
      case 'set':
        this.voice = m.voice;
        this.#tell('changed', m);
        break;
      case 'error':
        this.#tell('notice', { key: 'set', words: m.message, bad: true, passing: true });
        break;
      case 'flushed':
        break;
    }
  }

  // setVoice and setSettings change what is heard while it is heard.
  setVoice(voice) {
    this.worker.postMessage({ type: 'set', seq: Date.now(), voice });
  }
  setSettings(settings) {
    this.worker.postMessage({ type: 'set', seq: Date.now(), settings });
  }
  setOpen(open) {
    this.o.open = open;
    this.captureNode?.port.postMessage({ open });
  }
  restart(change) {
    Object.assign(this.o, change);
    if (change.maxDelay) this.playoutNode.port.postMessage({ bound: change.maxDelay });
    this.worker.postMessage({ type: 'restart', start: { latency: this.o.latency, max_delay_ms: this.o.maxDelay } });
  }
  cut() {
    this.worker.postMessage({ type: 'cut' });
  }

  // setOutput leads the sound to a device, "" for the system's own, and with monitor to the system's own besides.
  async setOutput(id, monitor) {
    this.analyser.disconnect();
    this.element?.pause();
    const direct = typeof this.context.setSinkId === 'function';
    if (direct) await this.context.setSinkId(id || '');
    if (!id || direct) this.analyser.connect(this.context.destination);
    const needsElement = id && (monitor || !direct);
    if (needsElement) {
      this.tap ??= this.context.createMediaStreamDestination();
      this.analyser.connect(this.tap);
      this.element ??= new Audio();
      this.element.srcObject = this.tap.stream;
      if (!direct) {
        if (!this.element.setSinkId)
          throw new Error(
            "This browser cannot choose an output. Chrome, Edge and Firefox can; or set the system's output.",
          );
        await this.element.setSinkId(id);
        if (monitor) this.analyser.connect(this.context.destination);
      } else await this.element.setSinkId?.('');
      await this.element.play();
    }
    // A tap that nothing listens to must still be pulled, or the browser halts the playout.
  }

  // insideMs is how late the sound is that plays now, from the capture's end of the browser to the playout's,
  // counted in samples.
  get insideMs() {
    if (this.state !== 'live' || !this.playout.played) return null;
    const captured = this.capture.count - this.#first + (this.playout.frame - this.capture.frame);
    return (1000 * (captured - this.#left - this.#serverDropped - this.playout.played)) / this.rate;
  }

  // parts are what the delay is made of, in the order of the way. all is their sum.
  get parts() {
    if (!this.server) return null;
    const track = this.stream.getAudioTracks()[0]?.getSettings() ?? {};
    const chunk = this.server.chunk_ms;
    const parts = [
      { name: 'Microphone', ms: 1000 * (track.latency ?? 0.01), about: 'as the browser says' },
      { name: 'Line', ms: this.rtt + this.waitingMs, about: 'to the studio and back' },
      { name: 'Voice', ms: this.server.latency_ms, about: 'what converting waits for' },
      {
        name: 'Computing',
        ms: this.stats ? Math.max(0.5, this.stats.rtf * chunk) : chunk / 4,
        about: 'a piece of sound',
      },
      { name: 'Waiting there', ms: Math.max(0, (this.stats?.queue_ms ?? 0) - chunk / 2), about: 'for its turn' },
      { name: 'Waiting here', ms: Math.max(0, this.playout.meanMs - chunk / 2), about: 'against gaps' },
      {
        name: 'Output',
        ms: 1000 * ((this.context.outputLatency || 0) + (this.context.baseLatency || 0)),
        about: 'as the browser says',
      },
    ];
    return { parts, all: parts.reduce((sum, p) => sum + p.ms, 0), outsideMs: parts[0].ms + parts.at(-1).ms };
  }

  // measure sends bursts of sound in place of the microphone's through all of it, and finds them again in what is
  // played: the shift at which their loudness fits best. It gives the delay inside the browser in ms, and how well it
  // fits, 0 to 1; below wellEnough sound was dropped or came late meanwhile, so that there was no one delay.
  async measure() {
    const rate = this.rate,
      gaps = [0.35, 0.23, 0.41, 0.29, 0.37],
      total = 2.6;
    const test = new Float32Array(Math.round(total * rate));
    let at = 0.45;
    for (const gap of [...gaps, 0]) {
      // A burst is 60 ms of noise, like a short "sh": every voice keeps its outline.
      for (let i = 0; i < 0.06 * rate; i++)
        test[Math.round(at * rate) + i] =
          0.2 * (2 * Math.random() - 1) * Math.min(1, i / (0.004 * rate), (0.06 * rate - i) / (0.004 * rate));
      at += gap;
    }
    const heard = new Promise((resolve, reject) => {
      this.gotHeard = resolve;
      setTimeout(() => reject(new Error('Nothing came back. Is the line up?')), 9000);
    });
    this.testFrom = null;
    this.playoutNode.port.postMessage({ listen: Math.round((total + 0.8) * rate) });
    this.captureNode.port.postMessage({ test: test.slice() });
    const said = [];
    const watch = setInterval(() => this.parts && said.push(this.parts.all), 100);
    try {
      const { heard: y, heardFrom } = await heard;
      return {
        ...fitShift(test, y, rate, heardFrom - this.testFrom),
        outsideMs: this.parts.outsideMs,
        insideMs: this.insideMs,
        saidMs: said.reduce((a, b) => a + b, 0) / said.length,
      };
    } finally {
      clearInterval(watch);
    }
  }

  record(on) {
    if (on) this.#record = [];
    else {
      this.gotRecord = () => {
        this.gotRecord = null;
        const pieces = this.#record;
        this.#record = null;
        this.#tell('recorded', { pieces, rate: this.rate });
      };
    }
    this.playoutNode.port.postMessage({ record: on });
  }
  get recording() {
    return !!this.#record;
  }

  async end() {
    this.state = 'off';
    document.removeEventListener('visibilitychange', this.wake);
    window.removeEventListener('online', this.wake);
    this.worker?.postMessage({ type: 'end' });
    this.stream?.getTracks().forEach((t) => t.stop());
    this.element?.pause();
    await this.context?.close().catch(() => {});
    this.#tell('state', { state: 'off' });
  }
}

// loudness is the amplitude in steps of 1 ms.
function loudness(x, rate) {
  const step = rate / 1000;
  const out = new Float32Array(Math.floor(x.length / step));
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let k = Math.floor(i * step); k < (i + 1) * step; k++) sum += x[k] * x[k];
    out[i] = Math.sqrt(sum / step);
  }
  return out;
}

// fitShift finds by how many ms y, which began "offset" samples after x did, lags behind x.
export function fitShift(x, y, rate, offset) {
  const a = loudness(x, rate),
    b = loudness(y, rate);
  const centre = (v) => {
    const m = v.reduce((s, w) => s + w, 0) / v.length;
    return v.map((w) => w - m);
  };
  const p = centre(a),
    q = centre(b);
  let best = 0,
    most = -1;
  for (let lag = -50; lag < q.length - p.length + 200; lag++) {
    let sum = 0,
      energy = 1e-12,
      own = 1e-12;
    for (let i = Math.max(0, -lag); i < p.length && i + lag < q.length; i++) {
      sum += p[i] * q[i + lag];
      energy += q[i + lag] ** 2;
      own += p[i] ** 2;
    }
    const fit = sum / Math.sqrt(energy * own);
    if (fit > most) {
      most = fit;
      best = lag;
    }
  }
  return { ms: best + (1000 * offset) / rate, fit: most };
}
