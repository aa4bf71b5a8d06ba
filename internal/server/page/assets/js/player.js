// A/B: the original and the result side by side, heard one at a time from the same place. Both run together, and a
// switch is a cross-fade
// of 15 ms between them, so that not a syllable is missed.
import { h, icon, clock, choice } from './dom.js';
import { drawSpectrogram, drawWave, colour } from './spectrum.js';
import { hueOf } from './mark.js';

const longest = 30 * 60; // seconds that are decoded into memory and drawn; beyond, the browser's own player must do

let context = null;
// shared is the context of all players; a browser gives sound only once the user has done something.
function shared() {
  context ??= new AudioContext();
  return context;
}

let active = null; // one player sounds at a time

export class Player {
  which = 'result';
  playing = false;
  place = 0; // seconds

  constructor(label, voice, rate) {
    this.rate = rate;
    this.voice = voice;
    this.ab = choice(
      `ab-${Math.random()}`,
      'Which is heard',
      [
        ['source', 'Original'],
        ['result', voice?.name ?? 'Result'],
      ],
      'result',
      (v) => this.choose(v),
    );
    this.button = h(
      'button',
      { class: 'main icon play', type: 'button', 'aria-label': 'Play', onclick: () => this.toggle() },
      icon('play'),
    );
    this.time = h('span', { class: 'num small dim time' }, '0:00');
    this.wave = h('canvas', { class: 'wave' });
    this.pictures = { source: h('canvas', { class: 'spectrum' }), result: h('canvas', { class: 'spectrum' }) };
    this.head = h('i', { class: 'playhead' });
    this.track = h(
      'div',
      {
        class: 'track',
        role: 'slider',
        tabIndex: 0,
        'aria-label': `Place in ${label}`,
        'aria-valuemin': 0,
        onpointerdown: (e) => {
          this.track.setPointerCapture(e.pointerId);
          this.point(e);
        },
        onpointermove: (e) => {
          if (e.buttons) this.point(e);
        },
      },
      this.wave,
      h(
        'div',
        { class: 'pictures' },
        h('div', { class: 'picture' }, h('span', {}, 'Original'), this.pictures.source),
        h('div', { class: 'picture' }, h('span', {}, voice?.name ?? 'Result'), this.pictures.result),
      ),
      this.head,
    );
    this.el = h(
      'div',
      { class: 'player', onkeydown: (e) => this.key(e) },
      h('div', { class: 'row apart' }, h('div', { class: 'row' }, this.button, this.ab, this.time)),
      this.track,
      h(
        'p',
        { class: 'small dim keys' },
        h('kbd', {}, 'Space'),
        ' play, ',
        h('kbd', {}, 'X'),
        ' original or result, ',
        h('kbd', {}, '←'),
        ' ',
        h('kbd', {}, '→'),
        ' two seconds',
      ),
    );
    new ResizeObserver(() => {
      if (this.buffers) this.draw(true);
    }).observe(this.track);
    document.addEventListener('theme', () => this.buffers && this.draw(true));
  }

  // load takes two WAV files of one rate and length.
  async load(source, result) {
    const decoder = new OfflineAudioContext(1, 1, this.rate);
    const [a, b] = await Promise.all([decoder.decodeAudioData(source), decoder.decodeAudioData(result)]);
    this.buffers = { source: a, result: b };
    this.seconds = Math.max(a.duration, b.duration);
    this.track.setAttribute('aria-valuemax', this.seconds.toFixed(1));
    this.draw(true);
  }

  static fits(seconds) {
    return seconds <= longest;
  }

  start() {
    active?.stop();
    active = this;
    const c = shared();
    c.resume();
    this.gains = {};
    this.sources = {};
    this.analyser = c.createAnalyser();
    this.analyser.fftSize = 2048;
    this.analyser.connect(c.destination);
    this.began = c.currentTime + 0.02;
    for (const name of ['source', 'result']) {
      const node = c.createBufferSource(),
        gain = c.createGain();
      node.buffer = this.buffers[name];
      gain.gain.value = name === this.which ? 1 : 0;
      node.connect(gain).connect(this.analyser);
      node.start(this.began, this.place);
      this.sources[name] = node;
      this.gains[name] = gain;
    }
    this.from = this.place;
    this.playing = true;
    this.show();
    const step = () => {
      if (!this.playing) return;
      this.place = this.now;
      if (this.place >= this.seconds) {
        this.stop();
        this.place = 0;
        this.draw();
        return;
      }
      this.draw();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  // now is the place that is heard, in seconds.
  get now() {
    if (!this.playing) return this.place;
    return Math.min(this.seconds, Math.max(this.from, this.from + context.currentTime - this.began));
  }

  stop() {
    if (!this.playing) return;
    this.place = this.now;
    for (const node of Object.values(this.sources)) node.stop();
    this.playing = false;
    if (active === this) active = null;
    this.show();
  }

  toggle() {
    if (!this.buffers) return;
    if (this.playing) this.stop();
    else this.start();
  }

  // choose switches between "source" and "result" without moving.
  choose(which) {
    this.which = which;
    for (const input of this.ab.querySelectorAll('input')) input.checked = input.value === which;
    if (this.playing) {
      for (const [name, gain] of Object.entries(this.gains))
        gain.gain.setTargetAtTime(name === which ? 1 : 0, context.currentTime, 0.005);
    }
    if (this.buffers) this.draw();
  }

  seek(seconds) {
    const was = this.playing;
    if (was) this.stop();
    this.place = Math.min(this.seconds, Math.max(0, seconds));
    if (was) this.start();
    this.draw();
  }

  point(e) {
    if (!this.buffers) return;
    const box = this.track.getBoundingClientRect();
    this.seek(((e.clientX - box.left) / box.width) * this.seconds);
  }

  key(e) {
    if (
      e.ctrlKey ||
      e.metaKey ||
      e.altKey ||
      (/^(INPUT|SELECT)$/.test(e.target.tagName) && e.target.type !== 'radio')
    )
      return;
    const onTrack = e.target === this.track;
    const keys = {
      x: () => this.choose(this.which === 'result' ? 'source' : 'result'),
      ...(e.target.tagName !== 'BUTTON' && e.target.tagName !== 'A' ? { ' ': () => this.toggle() } : {}),
      ...(onTrack
        ? {
            ArrowLeft: () => this.seek(this.place - 2),
            ArrowRight: () => this.seek(this.place + 2),
            Home: () => this.seek(0),
            End: () => this.seek(this.seconds),
          }
        : {}),
    };
    const act = keys[e.key.length === 1 ? e.key.toLowerCase() : e.key];
    if (act) {
      e.preventDefault();
      act();
    }
  }

  show() {
    this.button.replaceChildren(icon(this.playing ? 'pause' : 'play'));
    this.button.setAttribute('aria-label', this.playing ? 'Pause' : 'Play');
  }

  draw(all = false) {
    const part = this.seconds ? this.place / this.seconds : 0;
    if (!this.track.clientWidth) return;
    drawWave(this.wave, this.buffers[this.which].getChannelData(0), 64, part, colour('--accent'), colour('--line-2'));
    if (all) {
      const tint = `oklch(.68 .13 ${hueOf(this.voice?.pitchHz)})`;
      drawSpectrogram(this.pictures.source, this.buffers.source.getChannelData(0), this.rate, 92, colour('--ink-2'));
      drawSpectrogram(this.pictures.result, this.buffers.result.getChannelData(0), this.rate, 92, tint);
    }
    for (const [name, canvas] of Object.entries(this.pictures))
      canvas.parentElement.classList.toggle('other', name !== this.which);
    this.head.style.left = `${100 * part}%`;
    this.time.textContent = `${clock(this.place)} of ${clock(this.seconds)}`;
    this.track.setAttribute('aria-valuenow', this.place.toFixed(1));
    this.track.setAttribute('aria-valuetext', `${clock(this.place)} of ${clock(this.seconds)}`);
  }
}
