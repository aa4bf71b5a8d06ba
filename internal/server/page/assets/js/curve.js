// The curve of a training on a canvas.
import { fit, colour } from './spectrum.js';

// What is drawn, the first that there is: how far speech that was taken apart and rebuilt is from itself.
const wanted = [
  ['identity', 'speech rebuilt in its own voice'],
  ['cycle', 'speech turned into another voice and back'],
  ['mel', 'spectra'],
  ['loss', 'the loss'],
];

// drawCurve draws one loss, smoothed too, and gives a sentence about it.
export function drawCurve(canvas, { steps, values }) {
  const names = Object.keys(values);
  const [name, words] = wanted.find(([n]) => names.includes(n)) ?? [names[0], names[0]];
  if (!name) return '';
  const points = steps.map((s, i) => [s, values[name][i]]).filter(([, v]) => Number.isFinite(v));
  if (points.length < 2) return '';
  const { g, width, height, scale } = fit(canvas, 170);
  g.clearRect(0, 0, width, height);
  const left = 46 * scale,
    bottom = 22 * scale,
    top = 8 * scale;
  const all = points.map(([, v]) => v);
  const low = Math.min(...all),
    high = Math.max(...all),
    range = high - low || 1;
  const first = points[0][0],
    last = points.at(-1)[0] || 1;
  const digits = Math.min(4, Math.max(0, 2 - Math.floor(Math.log10(range)) - 1));
  const x = (s) => left + ((s - first) / (last - first || 1)) * (width - left - 8 * scale);
  const y = (v) => top + (1 - (v - low) / range) * (height - top - bottom);
  g.font = `${12 * scale}px "Atkinson Next", sans-serif`;
  g.fillStyle = colour('--ink-2');
  g.strokeStyle = colour('--line');
  g.lineWidth = scale;
  for (let k = 0; k < 3; k++) {
    const v = low + (range * k) / 2;
    g.beginPath();
    g.moveTo(left, y(v));
    g.lineTo(width, y(v));
    g.stroke();
    g.textAlign = 'right';
    g.textBaseline = 'middle';
    g.fillText(v.toFixed(digits), left - 6 * scale, y(v));
  }
  g.textBaseline = 'bottom';
  g.textAlign = 'left';
  g.fillText(`step ${first}`, left, height);
  g.textAlign = 'right';
  g.fillText(String(last), width, height);
  const line = (list, style, wide) => {
    g.strokeStyle = style;
    g.lineWidth = wide * scale;
    g.lineJoin = 'round';
    g.beginPath();
    list.forEach(([s, v], i) => (i ? g.lineTo(x(s), y(v)) : g.moveTo(x(s), y(v))));
    g.stroke();
  };
  line(points, colour('--line-2'), 1);
  let mean = points[0][1];
  line(
    points.map(([s, v]) => [s, (mean += (v - mean) * 0.15)]),
    colour('--accent'),
    2.2,
  );
  return `Lower is nearer: how far ${words} is from the recordings, ${all[0].toFixed(digits + 1)} at the beginning and ${mean.toFixed(digits + 1)} now.`;
}
