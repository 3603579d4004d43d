// The page's script, as text: what stands packed in the page (pack.ts) is unpacked when the page has opened: Chart.js, the
// data of the drawings, and the panels of rows that are not shown at first.

export const UNPACK = `
let later = null;
/* The contents of a panel or row that is to be shown. */
const fill = (one) => {
  if (!later || one.dataset.later === undefined) return;
  one.innerHTML = later[Number(one.dataset.later)];
  delete one.dataset.later;
};
const textOf = (id) => {
  const bytes = Uint8Array.from(atob($(id).textContent), (sign) => sign.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).text();
};
const unpack = async () => {
  /* Inline: the page's policy names it by its hash. */
  const script = document.createElement('script');
  script.textContent = await textOf('packed-charts');
  document.head.append(script);
  const { drawings, rest } = JSON.parse(await textOf('packed-data'));
  Object.assign(data, drawings);
  /* Images, which maps are drawn over, are there then. */
  if (document.readyState !== 'complete') await new Promise((loaded) => addEventListener('load', loaded, { once: true }));
  later = rest;
  apply();
  root.dataset.ready = '';
};
const failed = () => {
  for (const frame of document.querySelectorAll('.canvas')) frame.textContent = 'This browser cannot unpack the drawing; its numbers are in the tables.';
};
`;
