// Microphones, loudspeakers and why there may be none.

export const secure = () => window.isSecureContext && !!navigator.mediaDevices?.getUserMedia;

// whyNone says in words why there is no microphone and what to do.
export function whyNone() {
  if (secure()) return null;
  if (!window.isSecureContext) {
    const port = location.port ? `:${location.port}` : '';
    return {
      title: 'No microphone at this address',
      text: 'Browsers give the microphone only to pages from this same computer or over HTTPS, and this page came over plain HTTP from another one.',
      remedies: [
        `On the computer where “vc studio” runs, open http://127.0.0.1${port}/studio/`,
        `From here, through SSH: ssh -L 8791:127.0.0.1${port || ':80'} ${location.hostname}, and then open http://127.0.0.1:8791/studio/`,
        'Or start it with a certificate: vc studio --listen ADDRESS --tls-cert FILE --tls-key FILE --token SECRET',
      ],
    };
  }
  return {
    title: 'This browser gives pages no microphone',
    text: 'It is too old, or its owner forbids it.',
    remedies: ['Try a current Firefox, Chrome, Edge or Safari.'],
  };
}

// reason makes words of what getUserMedia refused.
export function reason(error) {
  switch (error.name) {
    case 'NotAllowedError':
      return 'The browser was not allowed to use the microphone. Click the sign beside the address, allow the microphone, and try again.';
    case 'NotFoundError':
      return 'There is no microphone. Plug one in, and try again.';
    case 'NotReadableError':
      return 'Another program holds the microphone, or the system does. Close it there, and try again.';
    case 'OverconstrainedError':
      return 'The microphone that was chosen is gone. Choose another.';
    default:
      return `The microphone could not be opened: ${error.message}`;
  }
}

// microphone opens one: raw, unless the browser's own processing is asked for.
export function microphone({ id = '', echo = false, noise = false, gain = false } = {}) {
  return navigator.mediaDevices.getUserMedia({
    audio: {
      ...(id ? { deviceId: { exact: id } } : {}),
      echoCancellation: echo,
      noiseSuppression: noise,
      autoGainControl: gain,
      channelCount: { ideal: 1 },
      latency: { ideal: 0.01 },
    },
  });
}

// devices lists microphones and outputs. They have names only once a microphone was opened.
export async function devices() {
  if (!navigator.mediaDevices?.enumerateDevices) return { inputs: [], outputs: [] };
  const all = await navigator.mediaDevices.enumerateDevices();
  const list = (kind, word) =>
    all
      .filter((d) => d.kind === kind && d.deviceId && d.deviceId !== 'default' && d.deviceId !== 'communications')
      .map((d, i) => ({ id: d.deviceId, name: d.label || `${word} ${i + 1}` }));
  return { inputs: list('audioinput', 'Microphone'), outputs: list('audiooutput', 'Output') };
}

export const worklet = (context, name) =>
  context.audioWorklet.addModule(new URL(`worklets/${name}.js`, import.meta.url));
