// What the views share: the voices, the one that is chosen, and how it is adjusted. Those who want to know of
// changes listen.
import * as api from './api.js';

const remembered = (key, usual) => {
  try {
    return { ...usual, ...JSON.parse(localStorage.getItem(key) ?? '{}') };
  } catch {
    return { ...usual };
  }
};
const remember = (key, value) => {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    /* private window: forget */
  }
};

export const usual = { pitch: 0, formant: 0, strength: 1, melody: 'fit' };

class Store extends EventTarget {
  state = null; // GET api/state
  voices = [];
  chosen = localStorage.getItem('voice') ?? '';
  settings = { ...usual };
  live = remembered('live', {
    microphone: '',
    output: '',
    echo: false,
    noise: false,
    gain: false,
    latency: 'normal',
    talk: 'open',
    monitor: false,
    maxDelay: 200,
  });

  tell(what) {
    this.dispatchEvent(new CustomEvent(what));
  }
  on(what, f) {
    this.addEventListener(what, f);
    return () => this.removeEventListener(what, f);
  }

  voice(id = this.chosen) {
    return this.voices.find((v) => v.id === id);
  }

  async load() {
    [this.state, { voices: this.voices }] = await Promise.all([api.get('state'), api.get('voices')]);
    this.voices.forEach(shape);
    if (!this.voice()) this.chosen = (this.voice('lj') ?? this.voices[0])?.id ?? '';
    this.tell('voices');
    this.tell('chosen');
  }

  async reloadVoices() {
    const { voices } = await api.get('voices');
    this.voices = voices.map(shape);
    if (!this.voice()) this.chosen = this.voices[0]?.id ?? '';
    this.tell('voices');
  }

  // add takes a new voice in, and chooses it.
  add(card) {
    this.voices = [shape(card), ...this.voices.filter((v) => v.id !== card.id)];
    this.tell('voices');
    this.choose(card.id);
  }

  remove(id) {
    this.voices = this.voices.filter((v) => v.id !== id);
    this.tell('voices');
    if (this.chosen === id) this.choose(this.voices[0]?.id ?? '');
  }

  choose(id) {
    if (id === this.chosen) return;
    this.chosen = id;
    try {
      localStorage.setItem('voice', id);
    } catch {
      /* forget */
    }
    this.tell('chosen');
  }

  adjust(change) {
    Object.assign(this.settings, change);
    this.tell('settings');
  }
  setLive(change) {
    Object.assign(this.live, change);
    remember('live', this.live);
    this.tell('live');
  }
}

// shape gives a card the names that the page uses.
export function shape(card) {
  card.pitchHz = card.pitch_hz ?? card.pitchHz ?? 0;
  return card;
}

export const store = new Store();
