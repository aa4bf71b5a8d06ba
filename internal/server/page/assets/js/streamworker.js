// The line to the server, in a thread of its own: sound from the capture worklet's port to the socket, and from the
// socket to the playout
// worklet's. A lost line is taken up again after 0.5 s, 1 s, 2 s ... 8 s. Sound that the line does not take is
// dropped rather than kept.

let start,
  address,
  fromMicrophone,
  toLoudspeaker,
  socket = null;
let wanted = false,
  tries = 0,
  timer = 0,
  boundBytes = 0,
  ready = false;
let left = 0; // samples that were left out because the line was slow, since the start of this connection
let sent = 0;
let lastPiece = 0;
const pings = new Map();
let pingId = 0;

const tell = (type, more = {}) => postMessage({ type, ...more });

onmessage = ({ data }) => {
  switch (data.type) {
    case 'begin':
      ({ start, address } = data);
      fromMicrophone = data.fromMicrophone;
      toLoudspeaker = data.toLoudspeaker;
      fromMicrophone.onmessage = (e) => piece(e.data.piece, e.data.at);
      wanted = true;
      connect();
      break;
    case 'set':
      if (data.voice) {
        start.voice = data.voice;
      }
      if (data.settings) start.settings = { ...start.settings, ...data.settings };
      if (ready)
        socket.send(JSON.stringify({ type: 'set', seq: data.seq, voice: data.voice, settings: data.settings }));
      break;
    case 'restart': // with other latency: a new stream
      Object.assign(start, data.start);
      tries = 0;
      if (socket) {
        const old = socket;
        forget();
        old.close(1000);
      }
      connect();
      break;
    case 'retry':
      if (wanted && !socket) {
        tries = 0;
        clearTimeout(timer);
        connect();
      }
      break;
    case 'cut': // for tests: as if the line broke
      socket?.close(4000, 'cut');
      break;
    case 'end':
      wanted = false;
      clearTimeout(timer);
      if (ready) socket.send('{"type":"stop"}');
      const old = socket;
      forget();
      setTimeout(() => {
        old?.close(1000);
        close();
      }, 200);
      break;
  }
};

function forget() {
  if (socket) socket.onmessage = socket.onclose = socket.onerror = socket.onopen = null;
  socket = null;
  ready = false;
}

function connect() {
  clearTimeout(timer);
  tell('connecting', { tries });
  const s = new WebSocket(address);
  socket = s;
  s.binaryType = 'arraybuffer';
  boundBytes = (4 * start.sample_rate * start.max_delay_ms) / 1000;
  s.onopen = () => s.send(JSON.stringify({ type: 'start', ...start }));
  s.onmessage = ({ data }) => {
    if (typeof data !== 'string') {
      const x = new Float32Array(data);
      toLoudspeaker.postMessage(x, [x.buffer]);
      return;
    }
    const m = JSON.parse(data);
    if (m.type === 'ready') {
      ready = true;
      tries = 0;
      left = sent = 0;
      toLoudspeaker.postMessage('begin');
    } else if (m.type === 'pong') {
      const at = pings.get(m.id);
      pings.delete(m.id);
      if (at) m.tookMs = performance.now() - at;
    }
    tell(m.type, m);
  };
  s.onclose = ({ code, reason }) => {
    if (s !== socket) return;
    const was = ready;
    forget();
    toLoudspeaker.postMessage('begin');
    // What will not become better by itself is not tried again.
    if (
      !wanted ||
      code === 1000 ||
      code === 1002 ||
      code === 1003 ||
      code === 1007 ||
      code === 4400 ||
      code === 4404
    ) {
      wanted = false;
      tell('ended', { code, reason });
      return;
    }
    const wait = was ? 300 : Math.min(8000, 500 * 2 ** tries) * (0.85 + 0.3 * Math.random());
    tries++;
    tell('lost', { code, reason, wait, tries });
    timer = setTimeout(connect, wait);
  };
}

function piece(x, at) {
  const now = performance.now();
  if (lastPiece && now - lastPiece > 700) tell('stood', { ms: now - lastPiece });
  lastPiece = now;
  if (!ready) return;
  // The first piece after "ready" is sample 0 of the stream: the page is told, so that it can count on.
  if (sent === 0 && left === 0) tell('first', { at });
  if (socket.bufferedAmount > boundBytes) {
    left += x.length;
    tell('left', { left });
    return;
  }
  socket.send(x.buffer);
  sent += x.length;
}

setInterval(() => {
  if (!ready) return;
  pings.set(++pingId, performance.now());
  if (pings.size > 40) pings.delete(pings.keys().next().value);
  socket.send(JSON.stringify({ type: 'ping', id: pingId }));
  tell('waiting', { ms: (1000 * socket.bufferedAmount) / 4 / start.sample_rate });
}, 500);
