// The mark of a voice: bars in a circle. Colour goes with pitch, blue where it is low and orange where it is high;
// the bars' heights
// come from the name, so that each voice can be told at a glance.
import { svg } from './dom.js';

// hueOf is the hue of a pitch in degrees of the OKLCH circle.
export function hueOf(pitchHz) {
  const place = Math.min(1, Math.max(0, Math.log2((pitchHz || 150) / 90) / Math.log2(260 / 90)));
  return 255 - 225 * place ** 0.85; // blue 255, green 150, orange 30
}

function random(text) {
  let a = 2166136261;
  for (const c of text) a = Math.imul(a ^ c.codePointAt(0), 16777619);
  return () => {
    a = Math.imul(a ^ (a >>> 15), a | 1);
    a ^= a + Math.imul(a ^ (a >>> 7), a | 61);
    return ((a ^ (a >>> 14)) >>> 0) / 4294967296;
  };
}

export function mark(voice, size = '') {
  const hue = hueOf(voice.pitchHz);
  const next = random(voice.id);
  const el = svg('svg', { class: `mark ${size}`, viewBox: '0 0 44 44', 'aria-hidden': 'true' });
  el.append(
    svg('circle', { cx: 22, cy: 22, r: 22, fill: `light-dark(oklch(.915 .055 ${hue}), oklch(.34 .06 ${hue}))` }),
  );
  for (let i = 0; i < 7; i++) {
    const swell = Math.sin((Math.PI * (i + 1)) / 8);
    const tall = 2.5 + 11 * swell * (0.35 + 0.65 * next());
    const x = 10 + 4 * i;
    el.append(
      svg('path', {
        d: `M${x} ${22 - tall}V${22 + tall}`,
        stroke: `light-dark(oklch(.5 .12 ${hue}), oklch(.82 .12 ${hue}))`,
        'stroke-width': 2.4,
        'stroke-linecap': 'round',
      }),
    );
  }
  return el;
}
