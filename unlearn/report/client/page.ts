// The page's script, first part, as text: light and dark, and definitions that open beside their word.

export const PAGE = `
const root = document.documentElement;
const data = JSON.parse(document.getElementById('report-data').textContent);
const dark = matchMedia('(prefers-color-scheme: dark)');
const toggle = document.getElementById('theme');
const remember = (value) => { try { localStorage.setItem('lethe-report-theme', value); } catch { /* storage is off */ } };
const recall = () => { try { return localStorage.getItem('lethe-report-theme'); } catch { return null; } };
const asked = { dark: 'dark', light: 'light' }[location.hash.slice(1).split('&')[0]] || recall();
if (asked === 'dark' || asked === 'light') root.dataset.theme = asked;
const theme = () => root.dataset.theme || (dark.matches ? 'dark' : 'light');
const name = () => { toggle.textContent = theme() === 'dark' ? 'Light theme' : 'Dark theme'; };

/* Definitions: click works without this; here they also open on hover and focus, beside their word. */
for (const button of document.querySelectorAll('.term')) {
  const box = document.getElementById(button.getAttribute('popovertarget'));
  if (!box || !box.showPopover) continue;
  const place = () => {
    const at = button.getBoundingClientRect();
    const left = Math.max(12, Math.min(innerWidth - box.offsetWidth - 12, at.left + at.width / 2 - box.offsetWidth / 2));
    const below = at.bottom + 8 + box.offsetHeight < innerHeight;
    box.style.left = left + 'px';
    box.style.top = (below ? at.bottom + 8 : Math.max(8, at.top - box.offsetHeight - 8)) + 'px';
  };
  const open = () => { if (!box.matches(':popover-open')) box.showPopover(); place(); };
  const close = () => { if (box.matches(':popover-open')) box.hidePopover(); };
  box.addEventListener('toggle', (event) => { if (event.newState === 'open') place(); });
  button.addEventListener('mouseenter', open);
  button.addEventListener('mouseleave', close);
  button.addEventListener('focus', () => { if (button.matches(':focus-visible')) open(); });
  button.addEventListener('blur', close);
  addEventListener('scroll', close, { passive: true });
}
`;
