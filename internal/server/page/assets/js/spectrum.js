// Waveforms and spectrograms on a canvas.

const N = 1024;

// transform is an FFT of N real samples in place of re, im (radix 2, decimation in time).
const order = new Uint16Array(N);
for (let i = 0, bits = Math.log2(N); i < N; i++) {
  let r = 0;
  for (let b = 0; b < bits; b++) r |= ((i >> b) & 1) << (bits - 1 - b);
  order[i] = r;
}
const cosine = Float32Array.from({ length: N / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / N));
const sine = Float32Array.from({ length: N / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / N));
const hann = Float32Array.from({ length: N }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / N));

function transform(re, im) {
  for (let half = 1; half < N; half *= 2) {
    const stride = N / (2 * half);
    for (let start = 0; start < N; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const a = start + k,
          b = a + half,
          c = cosine[k * stride],
          s = sine[k * stride];
        const x = re[b] * c - im[b] * s,
          y = re[b] * s + im[b] * c;
        re[b] = re[a] - x;
        im[b] = im[a] - y;
        re[a] += x;
        im[a] += y;
      }
    }
  }
}

// spectrogram gives decibels, [columns][rows], rows from low to high on a scale that spreads the low ones as mel
// does.
export function spectrogram(x, rate, columns, rows, topHz = 11000) {
  const out = new Float32Array(columns * rows);
  const re = new Float32Array(N),
    im = new Float32Array(N),
    power = new Float32Array(N / 2);
  const mel = (f) => Math.log1p(f / 700);
  const top = mel(Math.min(topHz, rate / 2));
  const edges = Float32Array.from({ length: rows + 1 }, (_, r) => (Math.expm1((top * r) / rows) * 700 * N) / rate);
  for (let c = 0; c < columns; c++) {
    const from = Math.round(((c + 0.5) / columns) * x.length) - N / 2;
    for (let i = 0; i < N; i++) {
      const k = from + order[i];
      re[i] = k >= 0 && k < x.length ? x[k] * hann[order[i]] : 0;
      im[i] = 0;
    }
    transform(re, im);
    for (let i = 0; i < N / 2; i++) power[i] = re[i] * re[i] + im[i] * im[i];
    for (let r = 0; r < rows; r++) {
      const a = edges[r],
        b = edges[r + 1];
      let sum = 0;
      if (b - a < 1) {
        const i = Math.min(N / 2 - 2, Math.floor((a + b) / 2)),
          part = (a + b) / 2 - i;
        sum = power[i] * (1 - part) + power[i + 1] * part;
      } else {
        let n = 0;
        for (let i = Math.floor(a); i < b && i < N / 2; i++, n++) sum += power[i];
        sum /= Math.max(1, n);
      }
      out[c * rows + r] = 10 * Math.log10(sum / N + 1e-10);
    }
  }
  return out;
}

// fit sizes a canvas to what it covers on the screen and gives its context and size in pixels.
export function fit(canvas, heightPx) {
  const scale = Math.min(2, window.devicePixelRatio || 1);
  const width = Math.max(1, Math.round(canvas.clientWidth * scale)),
    height = Math.round(heightPx * scale);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  canvas.style.height = `${heightPx}px`;
  return { g: canvas.getContext('2d'), width, height, scale };
}

// colour reads one of the page's colours, which depends on dark and light.
export function colour(name, el = document.documentElement) {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  el.append(probe);
  const c = getComputedStyle(probe).color;
  probe.remove();
  return c;
}

const rgb = (text) => {
  const dot = document.createElement('canvas');
  dot.width = dot.height = 1;
  const g = dot.getContext('2d', { willReadFrequently: true });
  g.fillStyle = text;
  g.fillRect(0, 0, 1, 1);
  return [...g.getImageData(0, 0, 1, 1).data].slice(0, 3);
};

// drawSpectrogram fills a canvas: from the ground's colour through a tint to ink or light, over 70 dB below the
// loudest part.
export function drawSpectrogram(canvas, x, rate, heightPx, tint) {
  const { g, width, height } = fit(canvas, heightPx);
  const columns = Math.min(width, 900),
    rows = Math.min(height, 128);
  const db = spectrogram(x, rate, columns, rows);
  let loud = -100;
  for (const v of db) if (v > loud) loud = v;
  const stops = [rgb(colour('--well')), rgb(tint), rgb(colour('--ink'))];
  const image = new ImageData(columns, rows);
  for (let c = 0; c < columns; c++) {
    for (let r = 0; r < rows; r++) {
      const part = Math.min(1, Math.max(0, (db[c * rows + r] - loud + 68) / 64)) * 2;
      const k = Math.min(1, Math.floor(part)),
        f = part - k,
        at = 4 * ((rows - 1 - r) * columns + c);
      for (let i = 0; i < 3; i++) image.data[at + i] = stops[k][i] + (stops[k + 1][i] - stops[k][i]) * f;
      image.data[at + 3] = 255;
    }
  }
  const plain = document.createElement('canvas');
  plain.width = columns;
  plain.height = rows;
  plain.getContext('2d').putImageData(image, 0, 0);
  g.imageSmoothingEnabled = true;
  g.imageSmoothingQuality = 'high';
  g.drawImage(plain, 0, 0, width, height);
}

// drawWave draws the outline of x in two colours, parted at a place in [0, 1].
export function drawWave(canvas, x, heightPx, place, done, rest) {
  const { g, width, height, scale } = fit(canvas, heightPx);
  g.clearRect(0, 0, width, height);
  const bar = Math.round(2 * scale),
    gap = Math.max(1, Math.round(scale)),
    count = Math.floor(width / (bar + gap));
  const peaks = new Float32Array(count);
  let most = 0.05;
  for (let b = 0; b < count; b++) {
    const from = Math.floor((b / count) * x.length),
      to = Math.max(from + 1, Math.floor(((b + 1) / count) * x.length));
    const step = Math.max(1, Math.floor((to - from) / 400));
    for (let i = from; i < to; i += step) peaks[b] = Math.max(peaks[b], Math.abs(x[i]));
    most = Math.max(most, peaks[b]);
  }
  for (let b = 0; b < count; b++) {
    const tall = Math.max(bar, (peaks[b] / most) * height * 0.92);
    g.fillStyle = (b + 0.5) / count <= place ? done : rest;
    g.beginPath();
    g.roundRect(b * (bar + gap), (height - tall) / 2, bar, tall, bar / 2);
    g.fill();
  }
}
