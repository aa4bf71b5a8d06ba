// The view in which somebody reads their own voice in and lets it be learnt.
import { h, icon, toast, span, decibels } from './dom.js';
import { store } from './store.js';
import { Recorder } from './take.js';
import { encode } from './wav.js';
import { secure, whyNone, reason } from './audio.js';
import { learning, unfollow } from './learning.js';
import * as api from './api.js';

let view,
  body,
  training = null,
  sentences = [],
  at = 0,
  recorder = null,
  busy = false;
let ui = {};

export function mine(el) {
  view = el;
  body = h('div', { class: 'stack' });
  view.append(
    h(
      'header',
      {},
      h('h1', { id: 'title-mine' }, 'Your own voice'),
      h(
        'p',
        { class: 'lead' },
        'Read forty sentences, about five minutes. The studio learns your voice from them on this computer, and it joins the others.',
      ),
    ),
    body,
  );
  document.addEventListener('keydown', key);
  window.addEventListener('beforeunload', () => recorder?.close());
}

// open is called when the view is shown: it finds what is under way.
export async function open() {
  try {
    const [{ trainings }, read] = await Promise.all([
      api.get('trainings'),
      sentences.length ? { sentences } : api.get('sentences'),
    ]);
    sentences = read.sentences;
    const wanted = localStorage.getItem('training');
    const found =
      trainings.find((t) => t.id === wanted) ??
      trainings.find((t) => ['running', 'stopping', 'recording'].includes(t.state));
    if (found) use(found);
    else welcome(trainings);
  } catch (e) {
    body.replaceChildren(h('p', { class: 'note bad' }, e.message));
  }
}

export function leave() {
  recorder?.close();
  recorder = null;
  unfollow();
}

function welcome(trainings) {
  training = null;
  localStorage.removeItem('training');
  const can = store.state?.training;
  const name = h('input', {
    type: 'text',
    maxLength: 40,
    required: true,
    placeholder: 'for instance: Ann',
    autocomplete: 'off',
  });
  const about = h('input', {
    type: 'text',
    maxLength: 100,
    placeholder: 'for instance: woman, Irish English',
    autocomplete: 'off',
  });
  body.replaceChildren(
    can && !can.available
      ? h('p', { class: 'note warn' }, `Recordings can be made, but not learnt from here: ${can.why_not}`)
      : '',
    h(
      'form',
      {
        class: 'sheet stack',
        onsubmit: async (e) => {
          e.preventDefault();
          try {
            use(await api.post('trainings', { name: name.value.trim(), about: about.value.trim(), folder: '' }));
          } catch (err) {
            toast(err.message, true);
          }
        },
      },
      h('h2', {}, 'Whose voice is it?'),
      h(
        'div',
        { class: 'two' },
        h('label', { class: 'field' }, 'Name', name),
        h('label', { class: 'field' }, 'A word about it', about),
      ),
      h(
        'ul',
        { class: 'hints' },
        [
          'A quiet room with soft things in it; no fan, no window open.',
          'The microphone a hand’s width away, a little to the side of the mouth.',
          'Read as you would tell it to somebody. Take it again whenever you stumble.',
        ].map((t) => h('li', {}, t)),
      ),
      h('div', {}, h('button', { class: 'main', type: 'submit' }, 'Begin')),
    ),
    trainings.length
      ? h(
          'section',
          { class: 'stack tight' },
          h('h2', {}, 'Begun before'),
          trainings.map((t) =>
            h(
              'button',
              { type: 'button', class: 'before', onclick: () => use(t) },
              h('b', {}, t.name),
              h('span', { class: 'dim small' }, stateWords(t)),
            ),
          ),
        )
      : '',
  );
}

const stateWords = (t) =>
  ({
    recording: `${t.recordings?.length ?? 0} recordings, ${span(t.speech_seconds)} of speech`,
    running: `learning, ${Math.round(100 * t.progress)} %`,
    stopping: 'being saved',
    stopped: `stopped at ${Math.round(100 * t.progress)} %`,
    done: 'learnt',
    failed: `failed: ${t.message}`,
  })[t.state];

// use goes on with a training: it is read for, or followed.
export function use(t) {
  training = t;
  localStorage.setItem('training', t.id);
  unfollow();
  if (t.state === 'recording') {
    reading();
    return;
  }
  learning(body, t);
}

const taken = (n) => training.recordings.find((r) => r.sentence === n);
const others = () =>
  training.recordings.filter((r) => r.sentence === undefined || r.sentence === null || r.sentence < 0);

function reading() {
  const firstOpen = sentences.findIndex((_, i) => !taken(i)?.ok);
  at = firstOpen < 0 ? 0 : firstOpen;
  ui = {};
  ui.count = h('span', { class: 'num dim' });
  ui.sentence = h('p', { class: 'sentence', id: 'sentence', 'aria-live': 'polite' });
  ui.level = h('i');
  ui.levelWords = h('span', { class: 'small dim' });
  ui.verdict = h('div', { class: 'verdict', role: 'status' });
  ui.record = h('button', {
    type: 'button',
    class: 'main go',
    'aria-describedby': 'sentence',
    disabled: !secure(),
    onclick: () => press(),
  });
  ui.back = h(
    'button',
    { type: 'button', class: 'quiet', 'aria-label': 'Back to the sentence before', onclick: () => go(at - 1) },
    '←',
    h('span', { class: 'wide-only' }, 'Back'),
  );
  ui.next = h(
    'button',
    { type: 'button', class: 'quiet', 'aria-label': 'Next sentence', onclick: () => go(at + 1) },
    h('span', { class: 'wide-only' }, 'Next'),
    '→',
  );
  ui.dots = h(
    'div',
    { class: 'dots', role: 'group', 'aria-label': 'Sentences' },
    sentences.map((s, i) => h('button', { type: 'button', 'aria-label': `Sentence ${i + 1}`, onclick: () => go(i) })),
  );
  ui.advice = h('p', { class: 'small' });
  ui.start = h('button', { type: 'button', class: 'main', onclick: () => begin() }, 'Learn this voice');
  ui.files = h('ul', { class: 'files' });
  const pick = h('input', {
    type: 'file',
    multiple: true,
    accept: 'audio/*,video/*',
    class: 'hear-only',
    tabIndex: -1,
    'aria-hidden': 'true',
    onchange: () => {
      addFiles([...pick.files]);
      pick.value = '';
    },
  });
  const drop = h(
    'div',
    {
      class: 'drop small-drop',
      ondragover: (e) => {
        e.preventDefault();
        drop.classList.add('over');
      },
      ondragleave: () => drop.classList.remove('over'),
      ondrop: (e) => {
        e.preventDefault();
        drop.classList.remove('over');
        addFiles([...e.dataTransfer.files]);
      },
    },
    h('p', { class: 'small' }, h('b', {}, 'Recordings you have already? '), 'Drop them here, or '),
    h('button', { type: 'button', class: 'small', onclick: () => pick.click() }, 'choose them'),
    pick,
  );
  const no = whyNone();
  body.replaceChildren(
    no
      ? h(
          'div',
          { class: 'note warn' },
          h('h3', {}, no.title),
          h('p', {}, no.text),
          h(
            'ul',
            {},
            no.remedies.map((r) => h('li', {}, r)),
          ),
        )
      : '',
    h(
      'section',
      { class: 'sheet reader', 'aria-label': 'Reading' },
      h(
        'div',
        { class: 'row apart' },
        ui.count,
        otherVoicesButton(),
      ),
      ui.sentence,
      h('div', { class: 'row centre' }, ui.back, ui.record, ui.next),
      h('div', { class: 'reader-level' }, h('div', { class: 'bar', 'aria-hidden': 'true' }, ui.level), ui.levelWords),
      ui.verdict,
      ui.dots,
      h(
        'p',
        { class: 'small dim keys' },
        h('kbd', {}, 'Space'),
        ' begin and end, ',
        h('kbd', {}, 'R'),
        ' take it again, ',
        h('kbd', {}, '←'),
        ' ',
        h('kbd', {}, '→'),
        ' sentences, ',
        h('kbd', {}, 'P'),
        ' hear it',
      ),
    ),
    drop,
    ui.files,
    h(
      'section',
      { class: 'sheet row apart' },
      h('div', { class: 'stack tight grow' }, h('h2', {}, training.name), ui.advice),
      ui.start,
    ),
  );
  show();
}

// otherVoicesButton leads back to the list of all that was begun.
export const otherVoicesButton = () =>
  h('button', { type: 'button', class: 'quiet small', onclick: () => otherVoices() }, 'Other voices');

// otherVoices goes back to the list of all that was begun.
export async function otherVoices() {
  leave();
  const { trainings } = await api.get('trainings');
  welcome(trainings);
}

function go(n) {
  if (recorder?.pieces || busy) return;
  at = Math.max(0, Math.min(sentences.length - 1, n));
  show();
}

function show() {
  const take = taken(at),
    on = !!recorder?.pieces;
  ui.count.textContent = `Sentence ${at + 1} of ${sentences.length}`;
  ui.sentence.textContent = sentences[at];
  ui.sentence.classList.toggle('on', on);
  ui.record.classList.toggle('on', on);
  ui.record.replaceChildren(
    icon(on ? 'stop' : 'mic'),
    on ? 'I have read it' : take ? 'Take it again' : 'Read it now',
  );
  ui.record.disabled = busy || !secure();
  ui.back.disabled = at === 0;
  ui.next.disabled = at === sentences.length - 1;
  [...ui.dots.children].forEach((dot, i) => {
    const t = taken(i);
    dot.className = `${t ? (t.ok ? 'ok' : 'poor') : ''} ${i === at ? 'here' : ''}`;
    dot.setAttribute(
      'aria-label',
      `Sentence ${i + 1}${t ? (t.ok ? ', good' : ', better taken again') : ', not read yet'}`,
    );
    dot.setAttribute('aria-current', String(i === at));
  });
  ui.verdict.replaceChildren();
  if (busy) ui.verdict.append(h('p', { class: 'dim' }, 'Looking at it…'));
  else if (take && !on) {
    ui.verdict.append(
      h(
        'p',
        { class: take.ok ? 'good' : 'poor' },
        icon(take.ok ? 'check' : 'again'),
        take.ok ? 'Good.' : 'Better take it again.',
        ' ',
        take.remarks.join(' '),
      ),
      h(
        'p',
        { class: 'small dim num' },
        `${take.seconds.toFixed(1)} s, speech at ${take.level_db.toFixed(0)} dB, noise at ${take.noise_db.toFixed(0)} dB${take.clipped ? `, ${take.clipped} samples clipped` : ', nothing clipped'} `,
        h('button', { type: 'button', class: 'quiet small', onclick: () => hear() }, icon('play'), 'Hear it'),
      ),
    );
  }
  ui.files.replaceChildren(
    ...others().map((r) =>
      h(
        'li',
        {},
        h(
          'span',
          {},
          h('b', {}, r.name || r.id),
          h('span', { class: 'small dim' }, ` ${span(r.seconds)}. ${r.remarks.join(' ')}`),
        ),
        h(
          'button',
          {
            type: 'button',
            class: 'quiet icon small',
            'aria-label': `Remove ${r.name || r.id}`,
            onclick: async () => {
              await api.drop(`trainings/${training.id}/recordings/${r.id}`);
              refresh();
            },
          },
          icon('close'),
        ),
      ),
    ),
  );
  const good = training.recordings.filter((r) => r.ok).length;
  const advice = training.advice || `${span(training.speech_seconds)} of speech`;
  ui.advice.textContent = `${good} good recording${good === 1 ? '' : 's'}. ${advice[0].toUpperCase()}${advice.slice(1)}${/[.!]$/.test(advice) ? '' : '.'}`;
  ui.start.disabled = !good || store.state?.training?.available === false;
  ui.start.className = training.enough ? 'main' : '';
}

async function refresh() {
  training = await api.get(`trainings/${training.id}`);
  show();
}

let loudest = 0;
function level(peak) {
  if (!ui.level) return;
  loudest = Math.max(peak, loudest * 0.9);
  ui.level.style.width = `${Math.min(100, Math.max(0, ((decibels(loudest) + 60) / 60) * 100))}%`;
  ui.levelWords.textContent =
    loudest > 0.97 ? 'Too loud: move away' : !recorder?.pieces ? '' : decibels(loudest) < -40 ? 'Very soft' : '';
}

// press begins a take, or ends it and sends it off.
async function press() {
  if (busy) return;
  try {
    recorder ??= await Recorder.open(level, { id: store.live.microphone });
  } catch (e) {
    toast(reason(e), true);
    return;
  }
  if (!recorder.pieces) {
    recorder.begin();
    show();
    return;
  }
  const n = at,
    x = recorder.end();
  busy = true;
  show();
  try {
    const file = new File([encode(x, recorder.rate)], `${String(n + 1).padStart(2, '0')}.wav`, { type: 'audio/wav' });
    const take = await api.upload(`trainings/${training.id}/recordings`, { sentence: String(n), file });
    training = await api.get(`trainings/${training.id}`);
    busy = false;
    if (take.ok && at === n && n < sentences.length - 1) {
      // Go on to the next that is open, and say that this one was good.
      const open = sentences.findIndex((_, i) => i > n && !taken(i)?.ok);
      if (open > 0) at = open;
      show();
      ui.verdict.replaceChildren(
        h('p', { class: 'good' }, icon('check'), `Sentence ${n + 1} is good.`, ' ', take.remarks.join(' ')),
      );
      return;
    }
  } catch (e) {
    toast(e.message, true);
  }
  busy = false;
  show();
}

const player = new Audio();
function hear(n = at) {
  const take = taken(n);
  if (!take) return;
  player.src = `${take.url}?t=${Date.now()}`;
  player.play().catch(() => {});
}

async function addFiles(files) {
  for (const [i, file] of files.entries()) {
    ui.advice.textContent = `Looking at ${file.name}, ${i + 1} of ${files.length}…`;
    try {
      await api.upload(`trainings/${training.id}/recordings`, { file });
    } catch (e) {
      toast(`${file.name}: ${e.message}`, true);
    }
  }
  refresh();
}

function key(e) {
  if (
    view.hidden ||
    training?.state !== 'recording' ||
    document.querySelector('dialog[open]') ||
    e.ctrlKey ||
    e.metaKey ||
    e.altKey ||
    /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)
  )
    return;
  const act = {
    ' ': e.target.tagName === 'BUTTON' && e.target !== ui.record ? null : () => press(),
    r: () => {
      if (recorder?.pieces) {
        recorder.end();
        show();
      } else press();
    },
    ArrowLeft: () => go(at - 1),
    ArrowRight: () => go(at + 1),
    p: () => hear(taken(at) ? at : at - 1),
  }[e.key.length === 1 ? e.key.toLowerCase() : e.key];
  if (!act || e.repeat) return;
  e.preventDefault();
  act();
}

async function begin() {
  const steps = Number(new URLSearchParams(location.search).get('steps')) || 0; // a few, for tests
  ui.start.disabled = true;
  try {
    leave();
    use(await api.post(`trainings/${training.id}/start`, { steps }));
  } catch (e) {
    toast(e.message, true);
    ui.start.disabled = false;
  }
}
