// The frame of the page: which view is shown, dark or light, and whether the server is there.
import { icon, toast } from './dom.js';
import { store } from './store.js';
import { chooser } from './chooser.js';
import { convert } from './convert.js';
import { live, current } from './live.js';
import * as mine from './mine.js';
import * as api from './api.js';

const views = { convert: 'Convert', live: 'Live', mine: 'My voice' };
const main = document.querySelector('main');

function route(first = false) {
  const name = location.hash.slice(1) in views ? location.hash.slice(1) : 'convert';
  for (const view of Object.keys(views)) document.getElementById(`view-${view}`).hidden = view !== name;
  for (const a of document.querySelectorAll('.top nav a')) {
    if (a.dataset.view === name) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
  main.classList.toggle('wide', name === 'mine');
  document.title = `${views[name]} · vc studio`;
  if (name === 'mine') mine.open();
  else mine.leave();
  if (!first) {
    window.scrollTo(0, 0);
    document.getElementById('work').focus({ preventScroll: true });
  }
}

function theme() {
  const button = document.getElementById('theme');
  const system = matchMedia('(prefers-color-scheme: dark)');
  const dark = () => (document.documentElement.dataset.theme ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const show = () => {
    button.replaceChildren(icon(dark() ? 'sun' : 'moon'));
    button.setAttribute('aria-label', dark() ? 'Light colours' : 'Dark colours');
    document.dispatchEvent(new Event('theme'));
  };
  const set = (value) => {
    if (value === (system.matches ? 'dark' : 'light')) {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem('theme');
    } else {
      document.documentElement.dataset.theme = value;
      localStorage.setItem('theme', value);
    }
    show();
  };
  const kept = localStorage.getItem('theme');
  if (kept) document.documentElement.dataset.theme = kept;
  button.addEventListener('click', () => set(dark() ? 'light' : 'dark'));
  system.addEventListener('change', show);
  show();
}

// watch says when the server is gone and when it is back.
async function watch() {
  const link = document.getElementById('link');
  let lost = false;
  for (;;) {
    await new Promise((ok) => setTimeout(ok, lost ? 2000 : 10000));
    try {
      await api.get('state');
      if (lost) {
        link.textContent = '';
        link.classList.remove('lost');
        toast('The studio is back.');
        await store.load();
      }
      lost = false;
    } catch (e) {
      if (e.status !== 'unreachable') continue;
      lost = true;
      link.classList.add('lost');
      link.textContent = 'The studio is not running';
    }
  }
}

theme();
chooser(document.getElementById('chooser'));
convert(document.getElementById('view-convert'));
live(document.getElementById('view-live'));
mine.mine(document.getElementById('view-mine'));
route(true);
window.addEventListener('hashchange', () => route());
window.addEventListener('beforeunload', (e) => {
  if (current()) e.preventDefault();
});
store.load().then(
  () => {
    if (location.hash === '#mine') mine.open();
  },
  (e) => toast(e.message, true),
);
watch();
