// The bank of reference models: each has the bits of a training of its own, is trained once, and survives a kill.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../index.ts';
import { Artifact, type ArtifactStore, memoryStore } from '../../unlearn/artifact.ts';
import { type Bank, type BankInput, bankOf, type PlannedModel, referencePlan } from '../../unlearn/bank.ts';
import { joinSplits, makeSplit, takeSplit } from '../../unlearn/data/split.ts';
import { methods } from '../../unlearn/methods/index.ts';
import { predict } from '../../unlearn/predict.ts';
import { train } from '../../unlearn/train.ts';
import { cut, disposeAll, stripes, tinyCnn, valuesOf } from './problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
  whole = await bankOf(input());
});

const parts = [stripes(40), stripes(24, 7)];
const data = joinSplits(...parts);
const options = { epochs: 2, batchSize: 16, learningRate: 0.1, augment: { crop: 1, flip: true } };
const plan = referencePlan(parts, 4, 5);
const input = (own: Partial<BankInput> = {}): BankInput => ({
  model: tinyCnn(),
  data,
  plan,
  options,
  ...own,
});
const artifactIn = async (store: ArtifactStore) =>
  (await Artifact.find(store)) ?? Artifact.create(store, { method: 'bank', key: 'k' });
/** The bank of the whole plan, trained once for several tests. */
let whole: Bank;
const positions = (members: Uint8Array) => [...members.keys()].filter((at) => members[at] === 1);

describe('the plan', () => {
  test('comes in complementary pairs of halves', () => {
    const many = [{ ids: Int32Array.from({ length: 3000 }, (_, i) => i) }, { ids: Int32Array.of(5, 6) }];
    const models = referencePlan(many, 8, 1);
    for (let pair = 0; pair < 8; pair += 2) {
      const sums = models[pair].members.map((one, i) => one + models[pair + 1].members[i]);
      expect([...new Set(sums)]).toEqual([1]);
      // Five standard deviations of a fair coin, sqrt(3002) / 2 = 27.4.
      expect(Math.abs(positions(models[pair].members).length - 1501)).toBeLessThan(137);
    }
    // Pairs are drawn apart: two of them agree on about half of the samples.
    const agree = models[0].members.filter((one, i) => one === models[2].members[i]).length;
    expect(Math.abs(agree - 1501)).toBeLessThan(137);
    expect(new Set(models.map(({ seed }) => seed)).size).toBe(8);
  });

  test('a sample is in by its id and part alone: not by its place, nor by the others, nor by how many models there are', () => {
    const ids = Int32Array.from({ length: 200 }, (_, i) => 3 * i);
    const [first, , third] = referencePlan([{ ids }], 6, 9);
    const shuffled = ids.slice(50).reverse();
    const fewer = referencePlan([{ ids: shuffled }], 4, 9);
    expect([first.seed, third.seed]).toEqual([fewer[0].seed, fewer[2].seed]);
    shuffled.forEach((id, at) => {
      expect(fewer[0].members[at]).toBe(first.members[id / 3]);
      expect(fewer[2].members[at]).toBe(third.members[id / 3]);
    });
    // The same ids in another part are other samples.
    const [twice] = referencePlan([{ ids }, { ids }], 2, 9);
    expect(twice.members.slice(0, 200)).toEqual(first.members);
    expect(twice.members.slice(200)).not.toEqual(first.members);
    expect(referencePlan([{ ids }], 2, 10)[0]).not.toEqual(first);
  });

  test.each([1, 3, 0, 2.5])('of %s models is refused', (count) => {
    expect(() => referencePlan(parts, count, 0)).toThrow(/expected an even number from 2/);
  });
});

test('each model has the bits of a training of its own', async () => {
  expect(whole.trained).toBe(4);
  for (const place of [1, 2]) {
    const { seed, members } = plan[place];
    const set = takeSplit(data, positions(members));
    const key = lt.random.key(seed);
    const alone = await train({ model: tinyCnn(), data: set, options, key });
    key.dispose();
    const own = await whole.variables(place);
    expect(await valuesOf(own)).toEqual(await valuesOf(alone.variables));
    const { trainLoss, learned } = alone.details;
    expect(whole.facts[place]).toEqual({ seed, samples: set.size, trainLoss, learned });
    disposeAll(own);
    disposeAll(alone.variables);
  }
  expect(whole.cost.samplesVisited).toBe(2 * 2 * data.size);
});

test('what else is in the plan, and its order, changes no bit of a model', async () => {
  const before = lt.memory().buffers;
  const turned = await bankOf(input({ plan: [plan[2], plan[0]] }));
  expect(lt.memory().buffers).toBe(before);
  const files = turned.artifact.names();
  expect(files).toHaveLength(2);
  for (const file of files) expect(turned.artifact.ref(file)).toEqual(whole.artifact.ref(file));
  expect(turned.facts).toEqual([whole.facts[2], whole.facts[0]]);
});

test('further seeds of the retrained model are what the method retrain makes of them', async () => {
  const { forget, retain } = cut(parts[0], 1);
  const members = Uint8Array.from(data.ids, (_, at) => Number(at < 40 && data.labels[at] !== 1));
  const [seed, key] = [12, lt.random.key(12)];
  const bank = await bankOf(input({ plan: [{ seed, members }] }));
  const start = lt.scope(() => tinyCnn().init(lt.random.key(0), [1, 6, 6, 1]));
  const retrained = { model: tinyCnn(), variables: start, forget, retain, key };
  const { variables } = await methods.retrain(options).unlearn(retrained);
  const own = await bank.variables(0);
  expect(await valuesOf(own)).toEqual(await valuesOf(variables));
  for (const tree of [own, variables, start]) disposeAll(tree);
  key.dispose();
});

describe('what was done stays done', () => {
  test('the same call again trains nothing, a longer plan its own models alone; equal models are trained once', async () => {
    const store = memoryStore();
    const first = await bankOf(input({ plan: plan.slice(0, 1), artifact: await artifactIn(store) }));
    expect(first.trained).toBe(1);
    const again = await bankOf(input({ plan: plan.slice(0, 1), artifact: await artifactIn(store) }));
    expect([again.trained, again.cost, again.facts]).toEqual([0, first.cost, first.facts]);
    const twice = [plan[1], plan[0], plan[1]];
    const longer = await bankOf(input({ plan: twice, artifact: await artifactIn(store) }));
    expect([longer.trained, longer.artifact.names().length]).toEqual([1, 2]);
    expect(longer.facts).toEqual([1, 0, 1].map((place) => whole.facts[place]));
    // A complementary pair visits all samples once an epoch.
    expect(longer.cost.samplesVisited).toBe(2 * data.size);
  });

  test('killed before a commit, and stopped in a training: it goes on to the same bits', async () => {
    const store = memoryStore();
    let commits = 0;
    const dying = {
      ...store,
      commit: async (manifest: string) => {
        if (++commits === 2) throw new Error('killed');
        return store.commit(manifest);
      },
    };
    await expect(bankOf(input({ artifact: await artifactIn(dying) }))).rejects.toThrow('killed');
    expect((await Artifact.open(store)).names()).toHaveLength(1);
    const stop = new AbortController();
    const onProgress = ({ fraction }: { fraction: number }) => {
      if (fraction > 0.1) stop.abort();
    };
    const stopped = { artifact: await artifactIn(store), signal: stop.signal, onProgress };
    await expect(bankOf(input(stopped))).rejects.toMatchObject({ name: 'AbortError' });
    const left = (await Artifact.open(store)).names().length;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(4);
    const rest = await bankOf(input({ artifact: await artifactIn(store) }));
    expect(rest.trained).toBe(4 - left);
    expect(rest.artifact.digest()).toBe(whole.artifact.digest());
  });

  test('other options, data or seeds are other models beside them', async () => {
    const store = memoryStore();
    const small = { plan: plan.slice(0, 1), options: { ...options, epochs: 1 } };
    const others = makeSplit({ ...data, labels: data.labels.map((label) => (label + 1) % 3) });
    for (const other of [{}, { options: { ...options, epochs: 2 } }, { data: others }])
      expect((await bankOf(input({ ...small, ...other, artifact: await artifactIn(store) }))).trained).toBe(
        1,
      );
    expect((await artifactIn(store)).names()).toHaveLength(3);
    const back = await bankOf(input({ ...small, artifact: await artifactIn(store) }));
    expect(back.trained).toBe(0);
  });
});

test('references answer as their networks do, one at a time, and give all memory back', async () => {
  const { buffers } = lt.memory();
  const during: number[] = [];
  const onBatch = () => during.push(lt.memory().buffers);
  const { references } = whole;
  const answers = await Promise.all(references.map(({ subject }) => subject.answers(parts[1], { onBatch })));
  const features = await references[0].subject.features(parts[1]);
  expect(lt.memory().buffers).toBe(buffers);
  // Asked all at once, and yet the first finds as few tensors as the last.
  expect(during).toHaveLength(4);
  expect(new Set(during).size).toBe(1);
  for (const [place, { logits }] of answers.entries()) {
    const own = await whole.variables(place);
    expect(logits).toEqual(await predict(tinyCnn(), own, parts[1]));
    disposeAll(own);
  }
  expect([features.width, features.values.length]).toEqual([36, 24 * 36]);
  expect(references.map(({ members }) => members)).toEqual(plan.map(({ members }) => members));
  expect(references[0].subject.network).toBeNull();
  // conv 36, batch norm 2 x 4 and as many for its state, dense 36 x 3 + 3, in float32, and the head of the file.
  expect(whole.bytes).toBeGreaterThan(4 * (36 + 16 + 111));
  expect(whole.bytes).toBeLessThan(4 * (36 + 16 + 111) + 2000);
  await expect(whole.variables(4)).rejects.toThrow('bank: no model 4; expected 0 to 3');
});

test('a model that diverges is named', async () => {
  const wild = { ...options, learningRate: 1000 };
  await expect(bankOf(input({ options: wild }))).rejects.toThrow(/^bank: model [1-4] of 4: .* learning rate/);
});

test.each<[string, readonly PlannedModel[], RegExp]>([
  ['no models', [], /the plan has no models/],
  ['too few members', [{ seed: 0, members: new Uint8Array(3) }], /3 members; expected 0 or 1 for each of 64/],
  ['a member twice', [{ seed: 0, members: new Uint8Array(64).fill(2) }], /expected 0 or 1/],
  ['no member', [{ seed: 0, members: new Uint8Array(64) }], /trained on no sample/],
  ['a seed that is none', [{ seed: -1, members: new Uint8Array(64).fill(1) }], /seed: expected an integer/],
])('a plan with %s is refused', async (_, wrong, message) => {
  await expect(bankOf(input({ plan: wrong }))).rejects.toThrow(message);
});
