// The list of voices, beside the work. On a narrow screen it is folded into a button that shows the one that is
// chosen.
import { h, icon, toast } from './dom.js';
import { mark } from './mark.js';
import { store } from './store.js';
import * as make from './make.js';

const kinds = [
  ['all', 'All', () => true],
  ['low', 'Low', (v) => v.pitchHz < 140],
  ['middle', 'Middle', (v) => v.pitchHz >= 140 && v.pitchHz < 178],
  ['high', 'High', (v) => v.pitchHz >= 178],
  ['own', 'Mine', (v) => v.kind !== 'model'],
];

let kind = 'all',
  search = '',
  list,
  chosenButton,
  settled = false;
const sample = new Audio();
let playing = null; // the button whose sample is heard

export function chooser(el) {
  chosenButton = h('button', {
    class: 'chosen',
    type: 'button',
    'aria-expanded': 'false',
    onclick: () => open(!el.classList.contains('open')),
  });
  const open = (yes) => {
    el.classList.toggle('open', yes);
    chosenButton.setAttribute('aria-expanded', yes);
    if (yes) reveal();
  };
  const find = h('input', {
    type: 'search',
    placeholder: 'Find a voice',
    'aria-label': 'Find a voice',
    oninput: () => {
      search = find.value.trim().toLowerCase();
      draw();
    },
  });
  const filters = h(
    'div',
    { class: 'kinds', role: 'group', 'aria-label': 'Which voices' },
    kinds.map(([id, words]) =>
      h(
        'button',
        {
          type: 'button',
          'aria-pressed': String(id === kind),
          onclick: (e) => {
            kind = id;
            for (const b of filters.children) b.setAttribute('aria-pressed', String(b === e.currentTarget));
            draw();
          },
        },
        words,
      ),
    ),
  );
  list = h('ul', { class: 'voices', role: 'radiogroup', 'aria-label': 'Voice' });
  el.append(
    chosenButton,
    h('div', { class: 'stack tight' }, find, filters),
    list,
    h(
      'div',
      { class: 'make' },
      h('h2', {}, 'Another voice'),
      h('button', { type: 'button', onclick: () => make.like() }, icon('like'), 'Like a recording'),
      h('button', { type: 'button', onclick: () => make.mix() }, icon('mix'), 'Mix two'),
      h('button', { type: 'button', onclick: () => make.random() }, icon('dice'), 'Draw one'),
      h('button', { type: 'button', onclick: () => make.open() }, icon('file'), 'Open a file'),
    ),
  );
  list.addEventListener('change', () => open(false));
  matchMedia('(max-width: 56rem)').addEventListener('change', () => requestAnimationFrame(reveal));
  sample.addEventListener('ended', quiet);
  store.on('voices', draw);
  store.on('chosen', showChosen);
}

function quiet() {
  sample.pause();
  if (!playing) return;
  playing.classList.remove('playing');
  playing.replaceChildren(icon('play'));
  playing.setAttribute('aria-label', playing.dataset.words);
  playing = null;
}

// hear plays a voice's sample; again stops it.
async function hear(button, voice) {
  const same = playing === button;
  quiet();
  if (same) return;
  playing = button;
  button.classList.add('playing');
  button.replaceChildren(icon('stop'));
  button.setAttribute('aria-label', `Stop the sample of ${voice.name}`);
  sample.src = voice.sample_url;
  try {
    await sample.play();
  } catch (e) {
    if (e.name !== 'AbortError') {
      quiet();
      toast(`The sample of ${voice.name} could not be played.`, true);
    }
  }
}

function card(voice) {
  const words = `Hear ${voice.name}`;
  const button = h(
    'button',
    {
      class: 'quiet icon small',
      type: 'button',
      'aria-label': words,
      'data-words': words,
      onclick: (e) => hear(e.currentTarget, voice),
    },
    icon('play'),
  );
  const own = voice.kind !== 'model';
  return h(
    'li',
    { class: 'voice', 'data-id': voice.id },
    h(
      'label',
      {},
      h('input', {
        type: 'radio',
        name: 'voice',
        value: voice.id,
        checked: voice.id === store.chosen,
        onchange: () => store.choose(voice.id),
      }),
      mark(voice),
      h(
        'span',
        { class: 'words' },
        h(
          'span',
          { class: 'name' },
          voice.name,
          h('small', {}, voice.pitchHz ? `${Math.round(voice.pitchHz)} Hz` : ''),
        ),
        h('span', { class: 'about' }, voice.kind === 'unsaved' ? `${voice.about} · not kept yet` : voice.about),
        voice.consent.map((line) => h('span', { class: 'about consent' }, `Consent: ${line}`)),
      ),
    ),
    own
      ? h(
          'button',
          {
            class: 'quiet icon small',
            type: 'button',
            'aria-label': `What can be done with ${voice.name}`,
            onclick: () => make.manage(voice),
          },
          icon('more'),
        )
      : null,
    button,
  );
}

function draw() {
  quiet();
  const test = kinds.find(([id]) => id === kind)[2];
  const order = { unsaved: 0, trained: 1, saved: 2, model: 3 };
  const shown = store.voices
    .filter((v) => test(v) && `${v.name} ${v.about}`.toLowerCase().includes(search))
    .sort((a, b) => order[a.kind] - order[b.kind] || a.name.localeCompare(b.name));
  const focused = document.activeElement?.closest?.('.voice')?.dataset.id;
  list.replaceChildren(...shown.map(card));
  if (!shown.length) {
    list.append(
      h(
        'li',
        { class: 'dim small' },
        kind === 'own' && !search
          ? 'None yet. Make one below, or read your own voice in under “My voice”.'
          : 'No voice is described like this.',
      ),
    );
  }
  if (!settled && shown.length) {
    settled = true;
    requestAnimationFrame(reveal);
  }
  if (focused) list.querySelector(`[data-id="${CSS.escape(focused)}"] input`)?.focus();
  showChosen();
}

// reveal scrolls the list, and nothing else, to the voice that is chosen.
function reveal() {
  const item = list.querySelector('input:checked')?.closest('li');
  if (item)
    list.scrollTop +=
      item.getBoundingClientRect().top -
      list.getBoundingClientRect().top -
      (list.clientHeight - item.clientHeight) / 2;
}

function showChosen() {
  const voice = store.voice();
  for (const input of list.querySelectorAll('input')) input.checked = input.value === store.chosen;
  chosenButton.replaceChildren();
  if (voice)
    chosenButton.append(
      mark(voice),
      h('span', { class: 'words' }, h('b', {}, voice.name), h('span', {}, voice.about)),
      h('span', { class: 'small dim' }, 'Change'),
    );
}
