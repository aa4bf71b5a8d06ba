// The four settings that change whatever voice is chosen. Convert and Live show them both, and they are the same
// ones.
import { h, slider, choice, signed } from './dom.js';
import { store, usual } from './store.js';
import * as make from './make.js';

const semitones = (v) => (v === 0 ? 'as it is' : `${signed(v)} semitones`);

export function adjust(name) {
  const sliders = {
    pitch: slider({
      words: 'Pitch',
      min: -12,
      max: 12,
      step: 0.5,
      zero: 0,
      value: 0,
      ends: ['lower', 'higher'],
      format: semitones,
      oninput: (v) => store.adjust({ pitch: v }),
    }),
    formant: slider({
      words: 'Size of the throat',
      min: -6,
      max: 6,
      step: 0.25,
      zero: 0,
      value: 0,
      ends: ['larger', 'smaller'],
      format: semitones,
      oninput: (v) => store.adjust({ formant: v }),
    }),
    strength: slider({
      words: 'Strength',
      min: 0.5,
      max: 1.5,
      step: 0.05,
      zero: 1,
      value: 1,
      ends: ['clearer words', 'nearer to the voice'],
      format: (v) => (v === 1 ? 'as it is' : `× ${v.toFixed(2)}`),
      oninput: (v) => store.adjust({ strength: v }),
    }),
  };
  const melody = choice(
    `melody-${name}`,
    'Melody',
    [
      ['fit', 'Speech'],
      ['keep', 'Singing'],
    ],
    store.settings.melody,
    (v) => store.adjust({ melody: v }),
  );
  const about = h('p', { class: 'small dim' });
  const reset = h(
    'button',
    { type: 'button', class: 'quiet small', onclick: () => store.adjust({ ...usual }) },
    'As it was',
  );
  const keep = h(
    'button',
    { type: 'button', class: 'quiet small', onclick: () => make.adjusted() },
    'Keep as a voice…',
  );
  const show = () => {
    const s = store.settings;
    for (const [key, el] of Object.entries(sliders)) el.set(s[key]);
    for (const input of melody.querySelectorAll('input')) input.checked = input.value === s.melody;
    about.textContent =
      s.melody === 'keep' ? 'Intervals stay as they are sung.' : 'The melody becomes as lively as the voice is.';
    reset.disabled = Object.keys(usual).every((k) => s[k] === usual[k]);
    keep.disabled = s.pitch === 0 && s.formant === 0 && s.strength === 1;
  };
  store.on('settings', show);
  const el = h(
    'div',
    { class: 'adjust' },
    Object.values(sliders),
    h(
      'div',
      { class: 'stack tight' },
      h('div', { class: 'row apart' }, h('b', { class: 'small' }, 'Melody'), melody),
      about,
    ),
    h('div', { class: 'row ends-row' }, reset, keep),
  );
  show();
  return el;
}

// words say how the settings differ from the usual ones, empty if they do not.
export function words(s) {
  return [
    s.pitch ? `pitch ${signed(s.pitch)}` : '',
    s.formant ? `formant ${signed(s.formant, 2)}` : '',
    s.strength && s.strength !== 1 ? `strength ${s.strength}` : '',
    s.melody === 'keep' ? 'singing' : '',
  ]
    .filter(Boolean)
    .join(', ');
}
