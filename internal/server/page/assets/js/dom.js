// Elements in one call, icons, and words for numbers.

// h makes an element. Properties that begin with "on" are listeners, "class" and those with a dash are attributes,
// a value of
// null or false is left out.
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) el.addEventListener(key.slice(2), value);
    else if (key === 'class' || key === 'for' || key === 'role' || key === 'list' || key.includes('-'))
      el.setAttribute(key, value);
    else if (key === 'html') throw new Error('no raw HTML');
    else if (key in el) el[key] = value;
    else el.setAttribute(key, value);
  }
  el.append(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

const SVG = 'http://www.w3.org/2000/svg';

// svg makes an element of a drawing.
export function svg(tag, attributes = {}, ...children) {
  const el = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) el.setAttribute(key, value);
  el.append(...children);
  return el;
}

const paths = {
  play: 'M8 5.5v13l11-6.5z',
  pause: 'M8 5v14M16 5v14',
  stop: 'M7 7h10v10H7z',
  down: 'M12 4v11m-5-5 5 5 5-5M5 20h14',
  mic: 'M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM6 11a6 6 0 0 0 12 0M12 17v4',
  micOff:
    'M9 9v3a3 3 0 0 0 5 2.2M15 10V6a3 3 0 0 0-5.9-.8M6 11a6 6 0 0 0 9.5 4.9M18 11c0 .8-.2 1.6-.5 2.3M12 17v4M4 4l16 16',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M19 5l-1.4 1.4M6.4 17.6 5 19',
  auto: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 3v18',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  folder: 'M3 6h6l2 2h10v11H3z',
  close: 'M6 6l12 12M18 6 6 18',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  again: 'M4 12a8 8 0 1 0 2.5-5.8M4 4v4h4',
  mix: 'M8 8a5 5 0 1 0 0 8M16 8a5 5 0 1 1 0 8M9 12h6',
  dice: 'M5 5h14v14H5zM9 9h.01M15 15h.01M15 9h.01M9 15h.01',
  like: 'M4 12h2M8 8v8M12 5v14M16 9v6M20 12h.01',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  record: 'M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10z',
  swap: 'M7 4 3 8l4 4M3 8h14M17 12l4 4-4 4M21 16H7',
};

// icon is a drawing that says nothing to a screen reader.
export function icon(name) {
  const filled = name === 'play' || name === 'stop' || name === 'record';
  return svg(
    'svg',
    { viewBox: '0 0 24 24', 'aria-hidden': 'true' },
    svg('path', {
      d: paths[name],
      fill: filled ? 'currentColor' : 'none',
      stroke: 'currentColor',
      'stroke-width': 2,
      'stroke-linecap': 'round',
      'stroke-linejoin': 'round',
    }),
  );
}

// toast says something in passing. Errors stay longer.
export function toast(text, bad = false) {
  const el = h('div', { class: bad ? 'toast bad' : 'toast' }, text);
  document.getElementById('toasts').append(el);
  setTimeout(() => el.remove(), bad ? 9000 : 4500);
}

// clock is seconds as 1:05.
export function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const tail = String(s % 60).padStart(2, '0');
  return s < 3600
    ? `${Math.floor(s / 60)}:${tail}`
    : `${Math.floor(s / 3600)}:${String(Math.floor(s / 60) % 60).padStart(2, '0')}:${tail}`;
}

// span is a length of time in words: 40 s, 12 min, 3 h 20 min.
export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

// signed is a number with its sign, for shifts.
export const signed = (v, digits = 1) =>
  (v > 0 ? '+' : v < 0 ? '−' : '') + Math.abs(v).toFixed(digits).replace(/\.0$/, '');

// decibels of an amplitude, 1 being full scale.
export const decibels = (amplitude) => 20 * Math.log10(Math.max(amplitude, 1e-6));

// choice is one of a few, as radio buttons. options are [value, words].
export function choice(name, legend, options, value, onchange) {
  return h(
    'span',
    { class: 'choice', role: 'radiogroup', 'aria-label': legend },
    options.map(([v, words]) =>
      h(
        'label',
        {},
        h('input', { type: 'radio', name, value: v, checked: v === value, onchange: () => onchange(v) }),
        h('span', {}, words),
      ),
    ),
  );
}

// toggle is a switch with a line about it.
export function toggle(words, about, checked, onchange) {
  return h(
    'label',
    { class: 'switch' },
    h('input', { type: 'checkbox', role: 'switch', checked, onchange: (e) => onchange(e.target.checked) }),
    h('span', {}, h('b', {}, words), about ? h('span', { class: 'small dim' }, about) : null),
  );
}

let number = 0;
// slider is a range with its name, value and what the ends mean. format makes words of a value; zero is where its
// filled part begins.
export function slider({ words, min, max, step, value, zero = min, ends, format, oninput }) {
  const id = `slider-${++number}`;
  const out = h('output', { for: id });
  const input = h('input', { type: 'range', id, min, max, step });
  const show = () => {
    const part = (v) => `${((100 * (v - min)) / (max - min)).toFixed(1)}%`;
    input.style.setProperty('--at', part(input.value));
    input.style.setProperty('--zero', part(zero));
    out.textContent = format(Number(input.value));
    input.setAttribute('aria-valuetext', out.textContent);
  };
  input.addEventListener('input', () => {
    show();
    oninput(Number(input.value));
  });
  const el = h(
    'div',
    { class: 'slider' },
    h('label', { for: id }, words),
    out,
    input,
    ends
      ? h(
          'div',
          { class: 'ends', 'aria-hidden': 'true' },
          ends.map((e) => h('span', {}, e)),
        )
      : null,
  );
  el.set = (v) => {
    input.value = v;
    show();
  };
  el.set(value);
  return el;
}
