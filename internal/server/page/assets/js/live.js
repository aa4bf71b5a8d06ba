// The view in which a voice is changed as it is spoken.
import { h, icon, decibels, choice, toggle, span } from './dom.js';
import { mark } from './mark.js';
import { store } from './store.js';
import { adjust } from './adjust.js';
import { LiveStream, wellEnough } from './livestream.js';
import { devices, reason, whyNone } from './audio.js';
import { encode, join } from './wav.js';

let stream = null,
  muted = false,
  held = false,
  view;
let start,
  mute,
  record,
  hold,
  status,
  notices,
  inMeter,
  outMeter,
  delay,
  measureButton,
  measured,
  micSelect,
  outSelect,
  face,
  queues;
let recordFrom = 0,
  starting = false;

export const current = () => stream; // for tests

const meter = (words) => {
  const track = h('div', { class: 'track', 'aria-hidden': 'true' }, h('i'), h('b'));
  const out = h('output', { 'aria-label': `${words}, level` }, '–');
  const el = h('div', { class: 'meter' }, h('span', {}, words), track, out);
  let held = 0,
    tick = 0;
  el.set = (peak) => {
    const place = (v) => Math.min(100, Math.max(0, ((decibels(v) + 60) / 60) * 100));
    held = Math.max(peak, held * 0.965);
    track.style.setProperty('--level', `${place(peak)}%`);
    track.style.setProperty('--peak', `${place(held)}%`);
    if (tick++ % 5 === 0) out.textContent = held > 0.001 ? `${decibels(held).toFixed(0)} dB` : 'silent';
  };
  return el;
};

export function live(el) {
  view = el;
  const no = whyNone();
  status = h('p', { class: 'live-status', role: 'status' }, 'Not running');
  notices = h('div', { class: 'stack tight notices', 'aria-live': 'polite' });
  face = h('div', { class: 'face' });
  start = h('button', {
    type: 'button',
    class: 'main go',
    disabled: !!no,
    onclick: () => (stream ? stop() : begin()),
  });
  mute = h('button', { type: 'button', 'aria-pressed': 'false', disabled: true, onclick: () => setMuted(!muted) });
  hold = h(
    'button',
    {
      type: 'button',
      hidden: true,
      onpointerdown: () => setHeld(true),
      onpointerup: () => setHeld(false),
      onpointerleave: () => setHeld(false),
      onpointercancel: () => setHeld(false),
    },
    'Hold to talk ',
    h('kbd', {}, 'V'),
  );
  record = h('button', { type: 'button', 'aria-pressed': 'false', disabled: true, onclick: () => toggleRecord() });
  inMeter = meter('You');
  outMeter = meter('Voice');
  queues = h('p', { class: 'small dim num' });
  measured = h('p', { class: 'small', role: 'status' });
  measureButton = h('button', { type: 'button', class: 'small', disabled: true, onclick: measure }, 'Measure it');
  delay = h('div', { class: 'delay' }, h('p', { class: 'dim small' }, 'It is shown here once the microphone runs.'));
  micSelect = h('select', {
    onchange: () => {
      store.setLive({ microphone: micSelect.value });
      anew();
    },
  });
  outSelect = h('select', {
    onchange: () => {
      store.setLive({ output: outSelect.value });
      output();
    },
  });
  const l = store.live;
  const latency = choice(
    'latency',
    'Delay or quality',
    [
      ['low', 'Fast'],
      ['normal', 'Usual'],
      ['high', 'Fine'],
    ],
    l.latency,
    (v) => {
      store.setLive({ latency: v });
      stream?.restart({ latency: v });
    },
  );
  const talk = choice(
    'talk',
    'When the microphone is open',
    [
      ['open', 'Always open'],
      ['push', 'Push to talk'],
    ],
    l.talk,
    (v) => {
      store.setLive({ talk: v });
      showTalk();
    },
  );
  el.append(
    h(
      'header',
      {},
      h('h1', { id: 'title-live' }, 'Speak in another voice'),
      h(
        'p',
        { class: 'lead' },
        'Put on headphones, choose a voice, and start. Send it to a call by choosing a virtual cable as the output.',
      ),
    ),
    ...(no
      ? [
          h(
            'div',
            { class: 'note warn', role: 'note' },
            h('h3', {}, no.title),
            h('p', {}, no.text),
            h(
              'ul',
              {},
              no.remedies.map((r) => h('li', {}, r)),
            ),
          ),
        ]
      : []),
    h(
      'section',
      { class: 'sheet stage', 'aria-label': 'Live' },
      face,
      h(
        'div',
        { class: 'stage-middle' },
        status,
        h('div', { class: 'row' }, start, mute, hold, record),
        h('div', { class: 'stack tight meters' }, inMeter, outMeter),
        queues,
      ),
    ),
    notices,
    h(
      'div',
      { class: 'live-grid' },
      h(
        'section',
        { class: 'sheet', 'aria-labelledby': 'delay-title' },
        h('div', { class: 'row apart' }, h('h2', { id: 'delay-title' }, 'Delay'), measureButton),
        delay,
        measured,
        h('div', { class: 'stack tight' }, h('b', { class: 'small' }, 'Delay or quality'), latency),
      ),
      h('section', { class: 'sheet', 'aria-label': 'Adjust the voice' }, h('h2', {}, 'Adjust'), adjust('live')),
      h(
        'section',
        { class: 'sheet wide', 'aria-labelledby': 'devices-title' },
        h('h2', { id: 'devices-title' }, 'Devices'),
        h(
          'div',
          { class: 'devices' },
          h(
            'div',
            { class: 'stack' },
            h('label', { class: 'field' }, 'Microphone', micSelect),
            h('label', { class: 'field' }, 'Output', outSelect),
            toggle('Hear it yourself too', 'where the output is a virtual cable', l.monitor, (v) => {
              store.setLive({ monitor: v });
              output();
            }),
            h('div', { class: 'stack tight' }, h('b', { class: 'small' }, 'The microphone is'), talk),
          ),
          h(
            'div',
            { class: 'stack' },
            h(
              'p',
              { class: 'small dim' },
              'The browser can work on the microphone’s sound before the studio hears it. Without headphones, echo cancellation helps; else all three are better off.',
            ),
            toggle('Echo cancellation', '', l.echo, (v) => {
              store.setLive({ echo: v });
              anew();
            }),
            toggle('Noise suppression', '', l.noise, (v) => {
              store.setLive({ noise: v });
              anew();
            }),
            toggle('Automatic gain', '', l.gain, (v) => {
              store.setLive({ gain: v });
              anew();
            }),
          ),
        ),
      ),
    ),
  );
  store.on('chosen', () => {
    stream?.setVoice(store.chosen);
    showFace();
  });
  store.on('voices', showFace);
  store.on('settings', () => stream?.setSettings({ ...store.settings }));
  document.addEventListener('keydown', (e) => key(e, true));
  document.addEventListener('keyup', (e) => key(e, false));
  window.addEventListener('blur', () => setHeld(false));
  navigator.mediaDevices?.addEventListener?.('devicechange', listDevices);
  listDevices();
  showTalk();
  show('off');
}

function showFace() {
  const v = store.voice();
  if (v)
    face.replaceChildren(
      mark(v, 'big'),
      h('div', {}, h('b', {}, v.name), h('span', { class: 'small dim' }, v.about)),
    );
}

async function listDevices() {
  const { inputs, outputs } = await devices();
  const fill = (select, list, first, chosen) => {
    select.replaceChildren(
      h('option', { value: '' }, first),
      ...list.map((d) => h('option', { value: d.id, selected: d.id === chosen }, d.name)),
    );
  };
  fill(micSelect, inputs, 'The system’s microphone', store.live.microphone);
  fill(outSelect, outputs, 'The system’s output', store.live.output);
  outSelect.disabled = !('setSinkId' in HTMLMediaElement.prototype);
  outSelect.title = outSelect.disabled ? 'This browser cannot choose an output: set the system’s output.' : '';
}

const isOpen = () => !muted && (store.live.talk === 'open' || held);

async function begin() {
  if (stream || starting) return;
  starting = true;
  show('connecting');
  notice('start', '');
  const s = new LiveStream({ ...store.live, voice: store.chosen, settings: { ...store.settings }, open: isOpen() });
  s.addEventListener('state', (e) => changed(s, e.detail));
  s.addEventListener('levels', levels);
  s.addEventListener('stats', statistics);
  s.addEventListener('notice', ({ detail }) => notice(detail.key, detail.words, detail));
  s.addEventListener('recorded', ({ detail }) => save(detail));
  try {
    stream = s;
    await s.begin();
    listDevices();
  } catch (e) {
    stream = null;
    s.end();
    show('off');
    notice('start', e instanceof DOMException ? reason(e) : e.message, { bad: true });
  }
  starting = false;
}

async function stop() {
  const s = stream;
  if (!s) return;
  if (s.recording) {
    s.record(false);
    await new Promise((ok) => setTimeout(ok, 100));
  }
  stream = null;
  await s.end();
  show('off');
}

// anew opens the microphone with other settings while it runs.
async function anew() {
  if (!stream) return;
  await stop();
  await begin();
}

async function output() {
  if (!stream) return;
  try {
    await stream.setOutput(store.live.output, store.live.monitor);
    notice('output', '');
  } catch (e) {
    notice('output', `This output cannot be used: ${e.message}`, { bad: true });
  }
}

function changed(s, { state, code, reason: why, wait, tries }) {
  if (s !== stream) return;
  if (state === 'ended') {
    notice('line', why || `The studio has ended the stream (${code}).`, { bad: true });
    stop();
    return;
  }
  if (state === 'lost') {
    const words = code === 1013 || code === 1001 ? why : 'The line to the studio is lost.';
    notice(
      'line',
      `${words} Trying again${tries > 1 ? `, for the ${tries}th time,` : ''} in ${span(Math.max(1, wait / 1000))}.`,
      { bad: true },
    );
  }
  if (state === 'live') notice('line', '');
  show(state);
}

function show(state) {
  const running = state !== 'off';
  view.dataset.live = state;
  start.replaceChildren(icon(running ? 'stop' : 'mic'), running ? 'Stop' : 'Start');
  mute.disabled = record.disabled = !running;
  measureButton.disabled = state !== 'live';
  status.textContent =
    {
      off: 'Not running',
      connecting: 'Connecting…',
      live: muted ? 'Muted' : store.live.talk === 'push' && !held ? 'Closed: hold V to talk' : 'Live',
      lost: 'The line is lost; trying again…',
    }[state] ?? state;
  mute.replaceChildren(icon(muted ? 'micOff' : 'mic'), muted ? 'Muted' : 'Mute', h('kbd', {}, 'M'));
  mute.setAttribute('aria-pressed', String(muted));
  record.replaceChildren(
    icon(stream?.recording ? 'stop' : 'record'),
    stream?.recording ? 'Stop recording' : 'Record',
  );
  record.setAttribute('aria-pressed', String(!!stream?.recording));
  if (!running) {
    inMeter.set(0);
    outMeter.set(0);
    queues.textContent = '';
  }
}

function setMuted(yes) {
  muted = yes;
  stream?.setOpen(isOpen());
  show(stream?.state ?? 'off');
}

function setHeld(yes) {
  if (held === yes) return;
  held = yes;
  hold.classList.toggle('down', yes);
  stream?.setOpen(isOpen());
  show(stream?.state ?? 'off');
}

function showTalk() {
  hold.hidden = store.live.talk !== 'push';
  stream?.setOpen(isOpen());
  show(stream?.state ?? 'off');
}

function key(e, down) {
  if (
    view.hidden ||
    !stream ||
    e.ctrlKey ||
    e.metaKey ||
    e.altKey ||
    (/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) && !['radio', 'checkbox', 'range'].includes(e.target.type))
  )
    return;
  const k = e.key.toLowerCase();
  if (k === 'v' && store.live.talk === 'push') {
    e.preventDefault();
    setHeld(down);
  }
  if (k === 'm' && down && !e.repeat) {
    e.preventDefault();
    setMuted(!muted);
  }
}

function toggleRecord() {
  if (!stream) return;
  recordFrom = Date.now();
  stream.record(!stream.recording);
  setTimeout(() => show(stream?.state ?? 'off'), 60);
}

function save({ pieces, rate }) {
  const url = URL.createObjectURL(encode(join(pieces), rate));
  const stamp = new Date(recordFrom).toISOString().slice(0, 19).replace('T', ' ').replaceAll(':', '.');
  const name = `${store.voice()?.name ?? 'voice'} ${stamp}.wav`;
  notices.prepend(
    h(
      'div',
      { class: 'note row apart' },
      h('audio', { controls: true, src: url, 'aria-label': 'The recording' }),
      h('a', { class: 'button', href: url, download: name }, icon('down'), 'Save the recording'),
      h(
        'button',
        {
          type: 'button',
          class: 'quiet icon',
          'aria-label': 'Throw the recording away',
          onclick: (e) => {
            URL.revokeObjectURL(url);
            e.currentTarget.parentElement.remove();
          },
        },
        icon('close'),
      ),
    ),
  );
  show(stream?.state ?? 'off');
}

const shownNotices = new Map();
// notice says something that holds until it is taken back with empty words; passing ones go by themselves.
function notice(name, words, { bad = false, passing = false } = {}) {
  const old = shownNotices.get(name);
  clearTimeout(old?.timer);
  if (!words) {
    old?.el.remove();
    shownNotices.delete(name);
    return;
  }
  const el = old?.el ?? h('p');
  el.className = `note ${bad ? 'warn' : ''}`;
  if (el.textContent !== words) el.textContent = words;
  if (!old) notices.prepend(el);
  shownNotices.set(name, { el, timer: passing ? setTimeout(() => notice(name, ''), 8000) : 0 });
}

let drawn = 0;
function levels() {
  if (!stream || view.hidden) return;
  inMeter.set(isOpen() ? stream.capture.peak : 0);
  outMeter.set(stream.playout.peak);
  if (Date.now() - drawn < 400) return;
  drawn = Date.now();
  showDelay();
}

function showDelay() {
  const p = stream.parts;
  if (!p || stream.state !== 'live') return;
  let total = delay.querySelector('.total');
  if (!total) {
    delay.replaceChildren(
      h(
        'p',
        { class: 'total' },
        h('b', { class: 'num' }),
        h('span', { class: 'dim small' }, ' from your mouth to the output'),
      ),
      h(
        'div',
        { class: 'stackbar', 'aria-hidden': 'true' },
        p.parts.map(() => h('i')),
      ),
      h(
        'dl',
        { class: 'parts' },
        p.parts.map((x) =>
          h(
            'div',
            {},
            h('dt', {}, h('i', { 'aria-hidden': 'true' }), x.name),
            h('dd', { class: 'num' }),
            h('dd', { class: 'about' }, x.about),
          ),
        ),
      ),
    );
    total = delay.querySelector('.total');
  }
  total.firstChild.textContent = `${Math.round(p.all)} ms`;
  const bars = delay.querySelectorAll('.stackbar i'),
    words = delay.querySelectorAll('dl .num');
  p.parts.forEach((x, i) => {
    bars[i].style.flexGrow = Math.max(0.2, x.ms);
    words[i].textContent = x.ms < 10 ? `${x.ms.toFixed(1)} ms` : `${Math.round(x.ms)} ms`;
  });
  queues.textContent = `Waiting in the studio ${Math.round(stream.stats?.queue_ms ?? 0)} ms, here ${Math.round(stream.playout.fillMs)} ms; never more than ${stream.o.maxDelay} ms at either end.`;
}

let lateBefore = 0,
  droppedBefore = 0;
function statistics() {
  const s = stream?.stats;
  if (!s) return;
  if (s.late < lateBefore) lateBefore = 0;
  if (s.dropped_total_ms < droppedBefore) droppedBefore = 0;
  const dropped = s.dropped_total_ms - droppedBefore;
  if (s.rtf > 0.85 || s.late - lateBefore > 5) {
    notice(
      'slow',
      `This computer is too slow at the moment: a second of sound takes it ${s.rtf.toFixed(2)} s.${dropped > 0 ? ` ${Math.round(dropped)} ms were left out.` : ''} Close other programs, or choose “Usual” or “Fast”.`,
      { bad: true, passing: true },
    );
  } else if (dropped > 40 && s.seconds > 4) {
    notice('slow', `${Math.round(dropped)} ms of sound had waited too long and were left out.`, { passing: true });
  }
  lateBefore = s.late;
  droppedBefore = s.dropped_total_ms;
}

// measure compares what is shown with what bursts of sound need.
export async function measure() {
  if (!stream) return null;
  measureButton.disabled = true;
  measured.textContent = 'Listen: six bursts go through in place of your voice.';
  try {
    const m = await stream.measure();
    const all = m.ms + m.outsideMs;
    measured.textContent =
      m.fit < wellEnough
        ? 'The sound was disturbed meanwhile. Try again.'
        : `Measured with six bursts: ${Math.round(all)} ms, while ${Math.round(m.saidMs)} ms were shown. Of both, microphone and output are ${Math.round(m.outsideMs)} ms as the browser says.`;
    measureButton.disabled = stream?.state !== 'live';
    return { ...m, measuredMs: all, good: m.fit >= wellEnough };
  } catch (e) {
    measured.textContent = e.message;
    measureButton.disabled = stream?.state !== 'live';
    return null;
  }
}
