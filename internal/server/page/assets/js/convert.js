// The view in which recordings are converted, compared and taken home.
import { h, icon, toast, clock, span } from './dom.js';
import { mark } from './mark.js';
import { store } from './store.js';
import { adjust, words } from './adjust.js';
import { Player } from './player.js';
import { Recorder } from './take.js';
import { encode } from './wav.js';
import { secure, whyNone, reason } from './audio.js';
import * as api from './api.js';

const active = (j) => j.state === 'waiting' || j.state === 'running' || j.state === 'uploading';
const sound = /\.(wav|flac|mp3|m4a|aac|ogg|oga|opus|webm|aif|aiff|wma|mp4|mov|mkv|avi|caf|amr|3gp)$/i;

let rows, into, announce, drop, summary;
const jobs = new Map(); // id -> { job, el, player }
let queue = []; // files that are still to be uploaded, with the settings of the time
let uploading = 0,
  polling = 0;
let format = localStorage.getItem('format') ?? 'wav';

export function convert(view) {
  const file = h('input', {
    type: 'file',
    multiple: true,
    class: 'hear-only',
    tabIndex: -1,
    'aria-hidden': 'true',
    accept: 'audio/*,video/*,.flac,.opus,.wma',
    onchange: () => {
      take([...file.files]);
      file.value = '';
    },
  });
  const folder = h('input', {
    type: 'file',
    webkitdirectory: true,
    class: 'hear-only',
    tabIndex: -1,
    'aria-hidden': 'true',
    onchange: () => {
      take(
        [...folder.files].filter((f) => sound.test(f.name)),
        folder.files.length,
      );
      folder.value = '';
    },
  });
  into = h('span', { class: 'into' });
  announce = h('p', { class: 'hear-only', role: 'status' });
  rows = h('div', { class: 'jobs' });
  summary = h('div', { class: 'row apart' });
  drop = h(
    'div',
    { class: 'drop sheet' },
    h('div', { class: 'drop-art', 'aria-hidden': 'true' }, icon('like')),
    h(
      'p',
      { class: 'drop-words' },
      h('b', {}, 'Drop recordings or a folder here'),
      h(
        'span',
        { class: 'dim small' },
        'WAV, FLAC, MP3, Ogg',
        h('span', { id: 'more-kinds' }),
        '. They stay on this computer.',
      ),
    ),
    h(
      'div',
      { class: 'row centre' },
      h('button', { type: 'button', class: 'main', onclick: () => file.click() }, icon('file'), 'Choose files'),
      h('button', { type: 'button', onclick: () => folder.click() }, icon('folder'), 'A folder'),
      record(),
    ),
    file,
    folder,
    h(
      'button',
      { type: 'button', class: 'quiet small', onclick: (e) => trial(e.currentTarget) },
      'No recording at hand? Try a sentence of ours',
    ),
  );
  view.append(
    h(
      'header',
      {},
      h('h1', { id: 'title-convert' }, 'Say it in another voice'),
      h(
        'p',
        { class: 'lead' },
        'Recordings become those of ',
        into,
        '. Choose a voice, add what was said, and compare.',
      ),
    ),
    h(
      'div',
      { class: 'convert-top' },
      drop,
      h('section', { class: 'sheet', 'aria-label': 'Adjust the voice' }, h('h2', {}, 'Adjust'), adjust('convert')),
    ),
    summary,
    rows,
    announce,
  );
  for (const type of ['dragover', 'dragenter']) {
    document.addEventListener(type, (e) => {
      if (view.hidden || !e.dataTransfer?.types.includes('Files')) return;
      e.preventDefault();
      drop.classList.add('over');
    });
  }
  document.addEventListener('dragleave', (e) => {
    if (!e.relatedTarget) drop.classList.remove('over');
  });
  document.addEventListener('drop', async (e) => {
    if (view.hidden || !e.dataTransfer?.types.includes('Files')) return;
    e.preventDefault();
    drop.classList.remove('over');
    const { files, seen } = await dropped(e.dataTransfer);
    take(files, seen);
  });
  store.on('chosen', show);
  store.on('voices', show);
  store.on('settings', show);
  store.on('state', () => {
    view.querySelector('#more-kinds').textContent = store.state?.ffmpeg ? ', M4A, Opus, video and more' : '';
  });
  store.on('voices', () => {
    if (store.state) store.tell('state');
  });
  poll();
}

// dropped reads folders too. seen counts all files, recordings or not.
async function dropped(transfer) {
  const entries = [...transfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return { files: [...transfer.files], seen: transfer.files.length };
  const files = [];
  let seen = 0;
  const walk = async (entry, deep) => {
    if (entry.isFile) {
      const file = await new Promise((ok, no) => entry.file(ok, no));
      seen++;
      if (!deep || sound.test(file.name)) files.push(file);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((ok, no) => reader.readEntries(ok, no));
      if (!some.length) return;
      for (const e of some) await walk(e, true);
    }
  };
  for (const e of entries) await walk(e, false);
  return { files, seen };
}

// trial converts a sentence that the studio has, in the voice of somebody else than the one that is chosen.
async function trial(button) {
  button.disabled = true;
  const speaker = ['kathleen', 'bdl', store.voices[0]?.id]
    .map((id) => store.voice(id))
    .find((v) => v && v.id !== store.chosen);
  try {
    const wav = await (await fetch(speaker.sample_url)).blob();
    take([new File([wav], `A sentence by ${speaker.name}.wav`, { type: 'audio/wav' })]);
  } catch (e) {
    toast(e.message, true);
  }
  button.disabled = false;
}

// record makes the button that takes a recording here.
function record() {
  let recorder = null,
    timer = 0;
  const button = h(
    'button',
    {
      type: 'button',
      title: secure() ? '' : whyNone().text,
      onclick: async () => {
        if (!secure()) {
          toast(`${whyNone().title}. ${whyNone().remedies[0]}`, true);
          return;
        }
        if (recorder) {
          clearInterval(timer);
          const x = recorder.end(),
            rate = recorder.rate;
          recorder.close();
          recorder = null;
          button.replaceChildren(icon('mic'), 'Record');
          button.classList.remove('recording');
          const now = new Date();
          take([
            new File([encode(x, rate)], `recorded ${now.toTimeString().slice(0, 8).replaceAll(':', '.')}.wav`, {
              type: 'audio/wav',
            }),
          ]);
          return;
        }
        try {
          recorder = await Recorder.open(() => {});
        } catch (e) {
          toast(reason(e), true);
          return;
        }
        recorder.begin();
        button.classList.add('recording');
        timer = setInterval(() => button.replaceChildren(icon('stop'), `Stop, ${clock(recorder.seconds)}`), 200);
      },
    },
    icon('mic'),
    'Record',
  );
  return button;
}

function show() {
  const v = store.voice();
  into.replaceChildren(
    v ? h('b', {}, v.name) : 'a voice',
    v && words(store.settings) ? ` (${words(store.settings)})` : '',
  );
  for (const entry of jobs.values()) showAgain(entry);
}

const asked = () => ({ voice: store.chosen, mix: [], ...store.settings });

function take(files, seen = files.length) {
  if (!files.length) {
    toast(seen ? 'None of these files is a recording.' : 'Nothing was chosen.', true);
    return;
  }
  if (seen > files.length) toast(`${files.length} recordings; ${seen - files.length} other files are left out.`);
  const settings = asked(),
    voice = store.voice();
  for (const file of files) {
    const id = `local-${Math.random()}`;
    const job = {
      id,
      name: file.name,
      state: 'uploading',
      progress: 0,
      voice: { id: voice.id, name: voice.name },
      settings,
      created: new Date().toISOString(),
      error: '',
    };
    add(job);
    queue.push({ id, file, settings });
  }
  announce.textContent = `${files.length} recordings added.`;
  next();
}

// next uploads the files one after another, and waits where the server asks for it.
async function next() {
  if (uploading || !queue.length) return;
  uploading++;
  const { id, file, settings } = queue.shift();
  const entry = jobs.get(id);
  try {
    if (entry) {
      const max = store.state?.limits?.upload_bytes;
      if (max && file.size > max)
        throw new Error(
          `It is ${Math.round(file.size / 1e6)} MB long; the studio takes ${Math.round(max / 1e6)} MB.`,
        );
      const job = await api.upload('jobs', { settings: JSON.stringify(settings), file }, (part) => {
        entry.job.progress = part;
        fill(entry);
      });
      jobs.delete(id);
      entry.job = job;
      jobs.set(job.id, entry);
      fill(entry);
      poll();
    }
  } catch (e) {
    if (e.code === 429 || e.code === 503) {
      queue.unshift({ id, file, settings });
      await new Promise((ok) => setTimeout(ok, 3000));
    } else {
      Object.assign(entry.job, { state: 'failed', error: e.message });
      fill(entry);
    }
  }
  uploading--;
  next();
}

function add(job, atEnd = false) {
  const entry = { job, el: h('article', { class: 'job sheet' }) };
  jobs.set(job.id, entry);
  if (atEnd) rows.append(entry.el);
  else rows.prepend(entry.el);
  build(entry);
  return entry;
}

function build(entry) {
  const { job, el } = entry;
  const voice = store.voice(job.voice.id) ?? { id: job.voice.id, name: job.voice.name, pitchHz: 150 };
  entry.voice = voice;
  entry.status = h('span', { class: 'small dim num' });
  entry.bar = h('i');
  entry.progress = h(
    'div',
    {
      class: 'bar',
      role: 'progressbar',
      'aria-label': `Converting ${job.name}`,
      'aria-valuemin': 0,
      'aria-valuemax': 100,
    },
    entry.bar,
  );
  entry.actions = h('div', { class: 'row job-actions' });
  entry.body = h('div', { class: 'job-body' });
  entry.head = h(
    'button',
    {
      type: 'button',
      class: 'job-head quiet',
      'aria-expanded': 'false',
      onclick: () => (entry.open ? fold(entry) : unfold(entry)),
    },
    mark(voice),
    h(
      'span',
      { class: 'words' },
      h('b', {}, job.name),
      h('span', { class: 'small dim' }, 'as ', voice.name, words(job.settings) ? `, ${words(job.settings)}` : ''),
      entry.status,
    ),
  );
  el.replaceChildren(h('div', { class: 'job-row' }, entry.head, entry.actions), entry.progress, entry.body);
  fill(entry);
}

function fill(entry) {
  const { job } = entry;
  const was = entry.was;
  entry.was = job.state;
  entry.progress.hidden = !active(job);
  const percent = Math.round(100 * job.progress);
  entry.bar.style.width = `${job.state === 'uploading' ? percent * 0.2 : job.state === 'running' ? 20 + percent * 0.8 : 20}%`;
  entry.progress.setAttribute('aria-valuenow', percent);
  entry.status.textContent = {
    uploading: percent < 100 && percent > 0 ? `uploading, ${percent} %` : 'waiting',
    waiting: job.ahead ? `waiting, ${job.ahead} before it` : 'waiting',
    running: `converting, ${percent} %`,
    done: `${clock(job.seconds ?? 0)}${job.took_seconds ? `, took ${span(Math.max(1, job.took_seconds))}` : ''}`,
    failed: 'could not be converted',
    cancelled: 'stopped',
  }[job.state];
  entry.el.dataset.state = job.state;
  entry.head.disabled = job.state !== 'done';
  if (was === job.state) return;
  entry.actions.replaceChildren();
  if (active(job))
    entry.actions.append(
      h(
        'button',
        { type: 'button', class: 'quiet icon', 'aria-label': `Stop ${job.name}`, onclick: () => stop(entry) },
        icon('close'),
      ),
    );
  if (job.state === 'done') {
    const link = h('a', { class: 'button', download: '' }, icon('down'), 'Save');
    const formats = store.state?.formats ?? [{ id: 'wav', name: 'WAV' }];
    const select = h(
      'select',
      {
        'aria-label': 'File format',
        onchange: () => {
          format = select.value;
          localStorage.setItem('format', format);
          point();
        },
      },
      formats.map((f) => h('option', { value: f.id, selected: f.id === format }, f.name)),
    );
    const point = () => {
      link.href = `${job.result_url}?format=${encodeURIComponent(select.value)}&download=1`;
    };
    point();
    entry.actions.append(h('div', { class: 'save' }, select, link));
  }
  if (!active(job))
    entry.actions.append(
      h(
        'button',
        { type: 'button', class: 'quiet icon', 'aria-label': `Remove ${job.name}`, onclick: () => stop(entry) },
        icon('close'),
      ),
    );
  entry.body.replaceChildren();
  if (job.state === 'failed')
    entry.body.append(h('p', { class: 'note bad' }, job.error || 'The reason is not known.'));
  if (job.state === 'done') {
    for (const w of job.warnings ?? []) entry.body.append(h('p', { class: 'note warn small' }, w));
    if (was && was !== 'done') {
      announce.textContent = `${job.name} is converted.`;
      if (![...jobs.values()].some((e) => active(e.job))) unfold(entry);
    }
  }
  if (job.state === 'failed' && was) announce.textContent = `${job.name} could not be converted: ${job.error}`;
  showSummary();
}

function showSummary() {
  const done = [...jobs.values()].filter((e) => e.job.state === 'done');
  summary.hidden = !jobs.size;
  summary.replaceChildren(
    h('h2', {}, 'This session'),
    done.length > 1
      ? h(
          'button',
          {
            type: 'button',
            class: 'quiet small',
            onclick: async () => {
              for (const { job } of done) {
                h('a', {
                  href: `${job.result_url}?format=${encodeURIComponent(format)}&download=1`,
                  download: '',
                }).click();
                await new Promise((ok) => setTimeout(ok, 400));
              }
            },
          },
          icon('down'),
          'Save all',
        )
      : '',
  );
}

async function stop(entry) {
  queue = queue.filter((q) => q.id !== entry.job.id);
  entry.player?.stop();
  jobs.delete(entry.job.id);
  entry.el.remove();
  showSummary();
  if (!entry.job.id.startsWith('local-')) api.drop(`jobs/${entry.job.id}`).catch(() => {});
}

function fold(entry) {
  entry.open = false;
  entry.player?.stop();
  entry.body.hidden = true;
  entry.head.setAttribute('aria-expanded', 'false');
}

// unfold shows one conversion with its player, and folds the others.
async function unfold(entry) {
  for (const other of jobs.values()) if (other !== entry && other.open) fold(other);
  entry.open = true;
  entry.body.hidden = false;
  entry.head.setAttribute('aria-expanded', 'true');
  if (entry.player || entry.loading) return;
  entry.loading = true;
  const { job } = entry;
  entry.again = h('button', { type: 'button', onclick: () => again(entry) });
  if (!Player.fits(job.seconds)) {
    entry.body.append(
      h('p', { class: 'small dim' }, 'This one is too long to be drawn.'),
      h('label', { class: 'field' }, 'Original', h('audio', { controls: true, src: job.source_url })),
      h(
        'label',
        { class: 'field' },
        job.voice.name,
        h('audio', { controls: true, src: `${job.result_url}?format=wav` }),
      ),
      entry.again,
    );
    showAgain(entry);
    return;
  }
  const player = new Player(job.name, entry.voice, store.state?.sample_rate ?? 24000);
  entry.body.append(player.el, h('div', { class: 'row' }, entry.again));
  showAgain(entry);
  try {
    await player.load(await api.bytes(job.source_url), await api.bytes(`${job.result_url}?format=wav`));
    entry.player = player;
  } catch (e) {
    entry.body.replaceChildren(h('p', { class: 'note bad' }, `It could not be shown: ${e.message}`));
  }
  entry.loading = false;
}

// showAgain offers what is chosen now, where it differs from what was.
function showAgain(entry) {
  if (!entry.again) return;
  const v = store.voice(),
    { job } = entry;
  const same =
    v?.id === job.voice.id && Object.entries(store.settings).every(([k, x]) => (job.settings[k] ?? x) === x);
  entry.again.hidden = same || !v;
  if (v)
    entry.again.replaceChildren(
      icon('again'),
      `Once more, as ${v.name}${words(store.settings) ? ` (${words(store.settings)})` : ''}`,
    );
}

async function again(entry) {
  try {
    fold(entry);
    add(await api.post(`jobs/${entry.job.id}/again`, asked()));
    poll();
  } catch (e) {
    toast(e.message, true);
  }
}

// poll looks after the jobs while any is under way. At the beginning it finds those of the session, after a reload
// too.
async function poll() {
  const turn = ++polling;
  let first = true;
  for (;;) {
    try {
      const { jobs: known } = await api.get('jobs');
      if (turn !== polling) return;
      for (const job of known) {
        const entry = jobs.get(job.id);
        if (entry) {
          entry.job = job;
          fill(entry);
        } else if (first && !uploading) add(job, true);
      }
      first = false;
    } catch {
      /* the line is watched by others */
    }
    if (![...jobs.values()].some((e) => e.job.state === 'waiting' || e.job.state === 'running')) return;
    await new Promise((ok) => setTimeout(ok, 400));
    if (turn !== polling) return;
  }
}

// newest is the player that is unfolded, for tests.
export const shown = () => [...jobs.values()].find((e) => e.open)?.player ?? null;
