// Dialogs that make voices and look after those that were made.
import { h, icon, toast, slider } from './dom.js';
import { mark } from './mark.js';
import { store, shape } from './store.js';
import { encode } from './wav.js';
import { Recorder } from './take.js';
import { reason, secure, whyNone } from './audio.js';
import * as api from './api.js';

// dialog shows one and gives back what closes it. Its form does not send: act is called instead, and errors stay
// inside.
function dialog(title, about, body, words, act, onclose = () => {}) {
  const problem = h('p', { class: 'note bad', role: 'alert' });
  const go = h('button', { class: 'main', type: 'submit' }, words);
  const el = h(
    'dialog',
    { 'aria-labelledby': 'dialog-title' },
    h(
      'form',
      {
        onsubmit: async (e) => {
          e.preventDefault();
          problem.textContent = '';
          go.disabled = true;
          el.setAttribute('aria-busy', 'true');
          try {
            await act();
            el.close();
          } catch (err) {
            problem.textContent = err.message;
          }
          go.disabled = false;
          el.removeAttribute('aria-busy');
        },
      },
      h(
        'div',
        { class: 'stack tight' },
        h('h2', { id: 'dialog-title' }, title),
        about ? h('p', { class: 'dim small' }, about) : null,
      ),
      body,
      problem,
      h(
        'div',
        { class: 'row end' },
        h('button', { type: 'button', class: 'quiet', onclick: () => el.close() }, 'Close'),
        words ? go : null,
      ),
    ),
  );
  el.addEventListener('close', () => {
    onclose();
    el.remove();
  });
  document.body.append(el);
  el.showModal();
  el.go = go;
  return el;
}

const nameField = (placeholder) =>
  h('input', { type: 'text', name: 'name', maxLength: 60, placeholder, autocomplete: 'off' });
const field = (words, input) => h('label', { class: 'field' }, words, input);

function voicePicker(words, chosen) {
  const select = h(
    'select',
    {},
    store.voices.map((v) =>
      h('option', { value: v.id, selected: v.id === chosen }, `${v.name}, ${Math.round(v.pitchHz)} Hz`),
    ),
  );
  return [field(words, select), select];
}

// like makes a voice of a recording, from a file or made here.
export function like() {
  let sound = null,
    recorder = null,
    timer = 0;
  const name = nameField('for instance: Carol');
  const consent = h('input', {
    type: 'text',
    name: 'consent',
    maxLength: 200,
    placeholder: 'Ada Example, 2026-11-30, CC BY 4.0',
    autocomplete: 'off',
  });
  const status = h(
    'p',
    { class: 'small', role: 'status' },
    'Five to ten seconds of clear speech by one person are good.',
  );
  const level = h('i');
  const file = h('input', {
    type: 'file',
    accept: 'audio/*,video/*',
    class: 'hear-only',
    tabIndex: -1,
    onchange: () => {
      if (file.files[0]) have(file.files[0], file.files[0].name);
    },
  });
  const have = (blob, words) => {
    sound = blob;
    status.textContent = `${words}: ready.`;
    el.go.disabled = false;
  };
  const stop = () => {
    clearInterval(timer);
    const x = recorder.end(),
      rate = recorder.rate;
    recorder.close();
    recorder = null;
    record.replaceChildren(icon('mic'), 'Record ten seconds');
    have(
      new File([encode(x, rate)], 'recorded.wav', { type: 'audio/wav' }),
      `${Math.round(x.length / rate)} seconds recorded`,
    );
  };
  const record = h(
    'button',
    {
      type: 'button',
      disabled: !secure(),
      onclick: async () => {
        if (recorder) return stop();
        try {
          recorder = await Recorder.open((peak) => {
            level.style.width = `${Math.min(100, 100 * Math.sqrt(peak))}%`;
          });
        } catch (e) {
          status.textContent = reason(e);
          return;
        }
        recorder.begin();
        record.replaceChildren(icon('stop'), 'Stop');
        timer = setInterval(() => {
          const s = recorder.seconds;
          status.textContent = `Speak now: ${Math.max(0, Math.ceil(10 - s))} s`;
          if (s >= 10) stop();
        }, 200);
      },
    },
    icon('mic'),
    'Record ten seconds',
  );
  const el = dialog(
    'Like a recording',
    'The voice of a person whom the studio has never heard. The recording stays on this computer. Ask people before you take their voice.',
    h(
      'div',
      { class: 'stack' },
      h(
        'div',
        { class: 'row' },
        h('button', { type: 'button', onclick: () => file.click() }, icon('file'), 'Choose a file'),
        record,
        file,
      ),
      secure()
        ? h('div', { class: 'bar', 'aria-hidden': 'true' }, level)
        : h('p', { class: 'small dim' }, whyNone().text),
      status,
      field('Name', name),
      field('Consent: who speaks, since when, under which licence', consent),
    ),
    'Make the voice',
    async () => {
      const made = await api.upload('voices/like', {
        file: sound,
        name: name.value.trim(),
        keep: 'false',
        consent: consent.value.trim(),
      });
      store.add(made.voice);
      toast(
        [
          `${made.voice.name} was made from ${made.speech_seconds.toFixed(1)} seconds of speech.`,
          ...(made.remarks ?? []),
          ...(made.voice.consent.length
            ? []
            : ['No consent is noted with it: make it again with one, or add one to its file with “vc style --consent”.']),
        ].join(' '),
      );
    },
    () => {
      clearInterval(timer);
      recorder?.close();
    },
  );
  el.go.disabled = true;
}

// mix makes a voice between two.
export function mix() {
  const [a, first] = voicePicker('First voice', store.chosen);
  const [b, second] = voicePicker('Second voice', store.voices.find((v) => v.id !== store.chosen)?.id);
  const name = nameField('');
  let share = 0.5;
  const suggest = () => {
    name.placeholder = `${store.voice(first.value)?.name} and ${store.voice(second.value)?.name}`;
  };
  const part = slider({
    words: 'Shares',
    min: 0,
    max: 1,
    step: 0.05,
    value: 0.5,
    ends: ['first', 'second'],
    format: (v) => `${Math.round(100 * (1 - v))} : ${Math.round(100 * v)}`,
    oninput: (v) => {
      share = v;
    },
  });
  first.onchange = second.onchange = suggest;
  suggest();
  dialog(
    'Mix two voices',
    'Somebody between them, who does not exist.',
    h('div', { class: 'stack' }, a, b, part, field('Name', name)),
    'Mix',
    async () => {
      store.add(
        await api.post('voices/mix', {
          name: name.value.trim() || name.placeholder,
          keep: false,
          parts: [
            { voice: first.value, weight: 1 - share },
            { voice: second.value, weight: share },
          ].filter((p) => p.weight > 0),
        }),
      );
    },
  );
}

// random draws voices until one pleases.
export function random() {
  let drawn = null;
  const of = h(
    'select',
    {},
    h('option', { value: '' }, 'anybody'),
    store.voices.filter((v) => v.kind === 'model').map((v) => h('option', { value: v.id }, v.name)),
  );
  const name = nameField('a name, if you keep it');
  const shown = h('div', { class: 'row', 'aria-live': 'polite' }, h('span', { class: 'dim' }, 'Nobody drawn yet.'));
  const player = h('audio', { controls: true, hidden: true });
  const draw = h(
    'button',
    {
      type: 'button',
      onclick: async () => {
        draw.disabled = true;
        try {
          const old = drawn;
          drawn = shape(await api.post('voices/random', { name: '', keep: false, of: of.value, seed: null }));
          if (old) api.drop(`voices/${encodeURIComponent(old.id)}`).catch(() => {});
          shown.replaceChildren(
            mark(drawn),
            h('span', {}, h('b', {}, drawn.name), h('br'), h('span', { class: 'small dim' }, drawn.about)),
          );
          player.src = drawn.sample_url;
          player.hidden = false;
          player.play().catch(() => {});
          el.go.disabled = false;
          draw.replaceChildren(icon('dice'), 'Draw another');
        } catch (e) {
          toast(e.message, true);
        }
        draw.disabled = false;
      },
    },
    icon('dice'),
    'Draw',
  );
  let taken = false;
  const el = dialog(
    'Draw a voice',
    'A person who does not exist, drawn by chance around one of the voices.',
    h(
      'div',
      { class: 'stack' },
      h('div', { class: 'row low' }, field('Around', of), draw),
      shown,
      player,
      field('Name', name),
    ),
    'Keep this one',
    async () => {
      const card = await api.post(`voices/${encodeURIComponent(drawn.id)}/keep`, {
        name: name.value.trim() || drawn.name,
      });
      taken = true;
      store.add(card);
    },
    () => {
      player.pause();
      if (drawn && !taken) api.drop(`voices/${encodeURIComponent(drawn.id)}`).catch(() => {});
    },
  );
  el.go.disabled = true;
}

// open reads a .voice file.
export function open() {
  const file = h('input', {
    type: 'file',
    accept: '.voice,application/json',
    onchange: async () => {
      try {
        const card = await api.upload('voices/upload', {
          file: file.files[0],
          name: file.files[0].name.replace(/\.voice$/i, ''),
        });
        store.add(card);
        toast(`${card.name} is among your voices.`);
      } catch (e) {
        toast(e.message, true);
      }
    },
  });
  file.click();
}

// adjusted keeps the chosen voice as it is set now.
export function adjusted() {
  const voice = store.voice();
  const name = nameField(`${voice.name}, adjusted`);
  dialog(
    'Keep this setting as a voice',
    'Pitch, formant and strength are taken into it.',
    field('Name', name),
    'Keep',
    async () => {
      const { pitch, formant, strength } = store.settings;
      store.add(
        await api.post('voices/adjusted', {
          name: name.value.trim() || name.placeholder,
          keep: true,
          voice: voice.id,
          settings: { pitch, formant, strength },
        }),
      );
      store.adjust({ pitch: 0, formant: 0, strength: 1 });
      toast('Kept among your voices.');
    },
  );
}

// manage renames, keeps, downloads or removes a voice of the user's own.
export function manage(voice) {
  const name = h('input', { type: 'text', value: voice.name, maxLength: 60, autocomplete: 'off' });
  const el = dialog(
    voice.name,
    voice.about,
    h(
      'div',
      { class: 'stack' },
      voice.consent.map((line) => h('p', { class: 'small consent' }, `Consent: ${line}`)),
      field('Name', name),
      h(
        'div',
        { class: 'row' },
        h('a', { class: 'button', href: voice.file_url, download: '' }, icon('down'), '.voice file'),
        voice.kind === 'trained'
          ? h('a', { class: 'button', href: `${voice.file_url}?model=1`, download: '' }, icon('down'), 'Model')
          : null,
        h(
          'button',
          {
            type: 'button',
            class: 'quiet',
            onclick: async () => {
              if (!confirm(`Remove ${voice.name} for good?`)) return;
              try {
                await api.drop(`voices/${encodeURIComponent(voice.id)}`);
                store.remove(voice.id);
                el.close();
              } catch (e) {
                toast(e.message, true);
              }
            },
          },
          'Remove',
        ),
      ),
    ),
    voice.kind === 'unsaved' ? 'Keep it' : 'Rename',
    async () => {
      const id = encodeURIComponent(voice.id);
      if (voice.kind === 'unsaved') {
        const card = await api.post(`voices/${id}/keep`, { name: name.value.trim() || voice.name });
        store.voices = store.voices.filter((v) => v.id !== voice.id);
        store.add(card);
        toast(`${card.name} is kept.`);
      } else {
        await api.send('PATCH', `voices/${id}`, { name: name.value.trim() });
        await store.reloadVoices();
      }
    },
  );
}
