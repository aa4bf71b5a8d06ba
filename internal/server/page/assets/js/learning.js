// How a voice is learnt: progress, the curve and samples on the way, stopping and going on.
import { h, toast, span } from './dom.js';
import { store } from './store.js';
import { drawCurve } from './curve.js';
import { use, otherVoices, otherVoicesButton } from './mine.js';
import * as api from './api.js';

let training = null;
let unlisten = null;
let ui = {};

// unfollow ends what learning began.
export function unfollow() {
  unlisten?.();
  unlisten = null;
}

document.addEventListener('theme', redraw);
window.addEventListener('resize', redraw);

// learning shows a training in body and follows it.
export function learning(body, t) {
  training = t;
  ui = {};
  ui.title = h('h2');
  ui.words = h('p', { class: 'dim', role: 'status' });
  ui.bar = h('i');
  ui.progress = h(
    'div',
    { class: 'bar thick', role: 'progressbar', 'aria-label': 'Learning', 'aria-valuemin': 0, 'aria-valuemax': 100 },
    ui.bar,
  );
  ui.actions = h('div', { class: 'row' });
  ui.curve = h('canvas', { role: 'img', 'aria-label': 'How far the result is from the recordings, step by step' });
  ui.curveWords = h('p', { class: 'small dim' });
  ui.curveSheet = h(
    'section',
    { class: 'sheet stack tight', hidden: true },
    h('h2', {}, 'How near it is'),
    ui.curve,
    ui.curveWords,
  );
  ui.samples = h('ul', { class: 'samples' });
  ui.samplesSheet = h(
    'section',
    { class: 'sheet stack tight', hidden: true },
    h('h2', {}, 'On the way'),
    h('p', { class: 'small dim' }, 'What the voice sounded like as it was learnt.'),
    ui.samples,
  );
  ui.log = h('pre', { class: 'log' });
  ui.logBox = h('details', {}, h('summary', { class: 'small' }, 'What the training says'), ui.log);
  body.replaceChildren(
    h(
      'section',
      { class: 'sheet stack' },
      h(
        'div',
        { class: 'row apart' },
        ui.title,
        otherVoicesButton(),
      ),
      ui.words,
      ui.progress,
      ui.actions,
      ui.logBox,
    ),
    h('div', { class: 'two' }, ui.curveSheet, ui.samplesSheet),
  );
  progress(training);
  details();
  unlisten = api.events(`trainings/${training.id}/events`, 'training', (t) => {
    const moved = t.step !== training.step || t.state !== training.state;
    const ended = t.state !== training.state;
    training = { ...training, ...t };
    progress(training);
    if (moved) details(ended);
    if (ended && t.state === 'done') {
      store.reloadVoices().then(() => {
        if (store.voice(t.voice)) store.choose(t.voice);
      });
      toast(`${t.name} is learnt and among the voices.`);
    }
  });
}

let lastState = '';
function progress(t) {
  ui.title.textContent = t.name;
  const percent = Math.round(100 * t.progress);
  ui.bar.style.width = `${percent}%`;
  ui.progress.setAttribute('aria-valuenow', percent);
  ui.words.textContent =
    {
      running: t.step
        ? `Learning: step ${t.step} of ${t.steps}${t.left_seconds ? `, about ${span(t.left_seconds)} left` : ''}. You may close this page; it goes on.`
        : `Preparing the recordings. ${t.message ?? ''}`,
      stopping: 'Saving, so that it can go on later. This may take a minute.',
      stopped: `Stopped at step ${t.step} of ${t.steps}.`,
      done: 'Learnt. It is among the voices.',
      failed: `It failed: ${t.message}`,
    }[t.state] ?? t.state;
  ui.log.textContent = (t.log ?? []).join('\n');
  ui.logBox.hidden = !t.log?.length;
  const key = `${t.id} ${t.state}`;
  if (key === lastState && ui.actions.children.length) return;
  lastState = key;
  const act = (words, path, main) =>
    h(
      'button',
      {
        type: 'button',
        class: main ? 'main' : '',
        onclick: async (e) => {
          e.currentTarget.disabled = true;
          try {
            use(await api.post(`trainings/${t.id}/${path}`));
          } catch (err) {
            toast(err.message, true);
          }
        },
      },
      words,
    );
  ui.actions.replaceChildren(
    ...({
      running: [act('Stop and save', 'stop')],
      stopping: [],
      stopped: [act('Go on', 'resume', true)],
      failed: t.step > 0 ? [act('Go on', 'resume', true)] : [],
      done: [
        h('a', { class: 'button main', href: '#convert', onclick: () => store.choose(t.voice) }, 'Use it'),
        h('a', { class: 'button', href: '#live', onclick: () => store.choose(t.voice) }, 'Speak in it'),
      ],
    }[t.state] ?? []),
  );
  if (['stopped', 'failed'].includes(t.state)) {
    ui.actions.append(
      h(
        'button',
        {
          type: 'button',
          class: 'quiet',
          onclick: async () => {
            if (confirm(`Remove the recordings of ${t.name} and what was learnt?`)) {
              await api.drop(`trainings/${t.id}`);
              otherVoices();
            }
          },
        },
        'Remove',
      ),
    );
  }
}

function redraw() {
  if (ui.metrics && ui.curveSheet && !ui.curveSheet.hidden)
    ui.curveWords.textContent = drawCurve(ui.curve, ui.metrics);
}

let asked = 0;
// details fetches curves and samples, every few seconds at most.
async function details(now = true) {
  if (!now && Date.now() - asked < 3000) return;
  asked = Date.now();
  const id = training.id;
  try {
    const [metrics, { samples }] = await Promise.all([
      api.get(`trainings/${id}/metrics?points=300`),
      api.get(`trainings/${id}/samples`),
    ]);
    if (training?.id !== id || !ui.curve) return;
    ui.curveSheet.hidden = !(metrics.steps?.length > 1);
    ui.metrics = metrics;
    redraw();
    // The newest, those in the new voice first.
    const inIt = (s) => s.name.replace(/\.wav$/i, '').endsWith(`-to-${training.name}`);
    const sounds = samples
      .filter((s) => /\.wav$/i.test(s.name))
      .sort((a, b) => b.step - a.step || inIt(b) - inIt(a))
      .slice(0, 6);
    ui.samplesSheet.hidden = !sounds.length;
    const have = [...ui.samples.querySelectorAll('audio')].map((a) => a.getAttribute('src')).join();
    if (have !== sounds.map((s) => s.url).join()) {
      ui.samples.replaceChildren(
        ...sounds.map((s) =>
          h(
            'li',
            {},
            h(
              'span',
              { class: 'small' },
              h('b', { class: 'num' }, `Step ${s.step}`),
              ` ${s.name.replace(/\.wav$/i, '')}`,
            ),
            h('audio', { controls: true, preload: 'none', src: s.url }),
          ),
        ),
      );
    }
  } catch {
    /* not there yet */
  }
}
