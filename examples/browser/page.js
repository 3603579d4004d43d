// The page of index.html: asks for the device, lets the story run, shows what came of it. `?quick` does less.

import * as lt from 'lethe';
import { datasets } from 'lethe/unlearn';
import { story } from './story.js';

const $ = (id) => document.getElementById(id);
const quick = new URLSearchParams(location.search).has('quick');

const { device, info } = await lt.init({ device: 'auto' });
$('device').textContent =
  device === 'webgpu'
    ? `WebGPU: ${info.adapter}`
    : 'No graphics card for WebGPU here: plain JavaScript, hundreds of times slower.';

const { classes } = await datasets.load('glyphs', { trainSize: 10, testSize: 10 });
for (const name of classes) $('symbol').add(new Option(name, name, name === 'star', name === 'star'));
$('start').disabled = false;

$('start').addEventListener('click', async () => {
  $('start').disabled = true;
  try {
    const onProgress = ({ phase, fraction }) => {
      $('step').textContent = phase === 'train' ? 'The network learns' : 'It forgets';
      $('progress').value = fraction;
    };
    const size = quick ? { trainSize: 20, testSize: 10, epochs: 1 } : {};
    const { before, after, seconds } = await story({ symbol: $('symbol').value, onProgress, ...size });
    const percent = (value) => `${value.toFixed(0)} %`;
    $('forgotten').textContent = `${percent(before.forgotten)} → ${percent(after.forgotten)}`;
    $('kept').textContent = `${percent(before.kept)} → ${percent(after.kept)}`;
    $('step').textContent =
      `Learned in ${seconds.train.toFixed(1)} s, forgot in ${seconds.unlearn.toFixed(1)} s`;
    $('results').hidden = false;
  } catch (error) {
    $('step').textContent = error.message;
  }
  $('start').disabled = false;
});
