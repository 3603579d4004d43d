// Is what the demo left a result one can believe? Prints the table it judged; exits 1 with the reasons if not.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
const { version, recipe, device, environment, runs } = JSON.parse(
  readFileSync(join(folder, 'results.json'), 'utf8'),
);
const wrong = [];
const must = (holds, what) => {
  if (!holds) wrong.push(what);
};
const of = (name) => runs.find((r) => r.method === name)?.metrics;
const METHODS = [
  'retrain',
  'finetune',
  'randomLabels',
  'gradientAscent',
  'boundaryShrink',
  'boundaryExpanding',
];

must(version === 1, `version is ${version}`);
must(recipe && device && environment, 'recipe, device or environment is missing');
for (const name of ['original', ...METHODS]) {
  const m = of(name);
  if (!m) {
    wrong.push(`${name} is missing; there are ${runs.map((r) => r.method).join(', ')}`);
    continue;
  }
  console.log(
    name.padEnd(18),
    ['ua', 'ra', 'ta', 'mia', 'acc_test_forget', 'rte_seconds'].map((k) => `${k} ${m[k]}`).join('  '),
  );
  for (const key of [
    'ua',
    'ra',
    'ta',
    'mia',
    'acc_retain',
    'acc_forget',
    'acc_test_retain',
    'acc_test_forget',
  ])
    must(typeof m[key] === 'number' && m[key] >= 0 && m[key] <= 100, `${name}.${key} is ${m[key]}`);
}
if (wrong.length === 0) {
  const [original, retrain] = [of('original'), of('retrain')];
  must(original.ta > 70, `the original knows the other classes by ${original.ta} %`);
  must(original.acc_test_forget > 70, `the original knows the class by ${original.acc_test_forget} %`);
  must(retrain.acc_test_forget === 0, `retrain knows the class it never saw by ${retrain.acc_test_forget} %`);
  must(retrain.ua === 100, `retrain has UA ${retrain.ua}`);
  must(retrain.ta > 70, `retrain knows the other classes by ${retrain.ta} %`);
  must(
    METHODS.some((name) => of(name).acc_test_forget < original.acc_test_forget / 2 && of(name).ra > 80),
    'no method forgot',
  );
}
const html = readFileSync(join(folder, 'report.html'), 'utf8');
must(html.trimEnd().endsWith('</html>'), 'report.html is not whole');
must(!/(?:src|href)="https?:[^"]*\.(?:js|css)/.test(html), 'report.html loads something from a network');
must(html.includes('retrain') && html.includes('boundaryShrink'), 'report.html names no methods');
must(statSync(join(folder, 'log.txt')).size > 0, 'log.txt is empty');
const weights = readdirSync(join(folder, 'checkpoints')).filter((f) => f.endsWith('.safetensors'));
must(weights.length >= METHODS.length, `only ${weights.length} checkpoints`);

for (const w of wrong) console.error(`demo: ${w}`);
process.exit(wrong.length ? 1 : 0);
