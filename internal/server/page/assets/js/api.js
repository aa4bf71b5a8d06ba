// The server's routes (docs/api.md), relative to the page's own address.

const base = new URL('api/', document.baseURI);

// Failure is an answer that is none: message is a sentence for people, status a word for programs.
export class Failure extends Error {
  constructor(message, status = '', code = 0) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(new URL(path, base), { cache: 'no-store', ...options });
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Failure('The studio does not answer. Is “vc studio” still running?', 'unreachable');
  }
  if (!answer.ok) {
    let message = `The studio answered ${answer.status}.`,
      status = '';
    try {
      const { detail } = await answer.json();
      if (Array.isArray(detail)) message = detail.map((d) => d.msg).join('; ');
      else ({ message, status } = detail);
    } catch {
      /* the answer was no JSON: the code must do */
    }
    throw new Failure(message[0].toUpperCase() + message.slice(1), status, answer.status);
  }
  return answer.status === 204 ? null : answer;
}

export const get = async (path) => (await ask(path)).json();
export const send = async (method, path, body) => {
  const answer = await ask(path, {
    method,
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return answer && answer.headers.get('content-type')?.includes('json') ? answer.json() : null;
};
export const post = (path, body = {}) => send('POST', path, body);
export const drop = (path) => send('DELETE', path);
export const bytes = async (path, signal) => (await ask(path, { signal })).arrayBuffer();

// upload posts a form and tells how far it is, 0 to 1: fetch cannot.
export function upload(path, fields, onprogress = () => {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof File) form.append(name, value, value.name);
    else if (value !== undefined) form.append(name, value);
  }
  return new Promise((resolve, reject) => {
    const r = new XMLHttpRequest();
    r.open('POST', new URL(path, base));
    r.responseType = 'json';
    r.upload.onprogress = (e) => onprogress(e.lengthComputable ? e.loaded / e.total : 0);
    r.onload = () => {
      if (r.status < 300) return resolve(r.response);
      const detail = r.response?.detail;
      const message = Array.isArray(detail)
        ? detail.map((d) => d.msg).join('; ')
        : (detail?.message ?? `The studio answered ${r.status}.`);
      reject(new Failure(message[0].toUpperCase() + message.slice(1), detail?.status ?? '', r.status));
    };
    r.onerror = () => reject(new Failure('The studio did not take it. Is “vc studio” still running?', 'unreachable'));
    r.send(form);
  });
}

export const address = (path) => new URL(path, base).href;

// streamAddress is that of the live stream.
export function streamAddress() {
  const url = new URL('/v1/stream', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

// events listens to server-sent events of one name; the result ends it.
export function events(path, name, ondata, onlost = () => {}) {
  const source = new EventSource(new URL(path, base));
  source.addEventListener(name, (e) => ondata(JSON.parse(e.data)));
  source.onerror = () => onlost(source);
  return () => source.close();
}
