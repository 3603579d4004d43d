// Worth of a number on made-up pools: what each column says where the answer is known by construction.
import { describe, expect, it } from 'vitest';
import { judge, kendall, type Pooled } from '../../../unlearn/statistics/judging.ts';

const rung = (name: string, knows: number, scores: readonly number[], shows = knows): Pooled[] =>
  scores.map((score) => ({ rung: name, knows, shows, score }));
const graded = [
  ...rung('retrain', 0, [0.1, -0.1, 0]),
  ...rung('tenth', 0.1, [0.2, 0.15, 0.25]),
  ...rung('half', 0.5, [0.5, 0.6, 0.55]),
  ...rung('original', 1, [1, 0.9, 1.1]),
];

describe('judge', () => {
  it('a number that follows what is known, and is not hidden from', () => {
    const found = judge([...graded, ...rung('edit', 1, [0.95, 1], 0), ...rung('over', 0, [-3, -4], -1)]);
    expect(found).toMatchObject({ knowing: 1, deception: 1, overforgetting: 1, measured: 16, models: 16 });
    // All pairs of different rungs are in order; pairs within a rung count in one of the two.
    expect(found.graded).toBeCloseTo(54 / Math.sqrt(54 * 66), 12);
    expect(found.reliability).toBeGreaterThan(0.95);
  });

  it('a number that looks at answers alone is fooled by an edit of the last layer', () => {
    const found = judge([...graded, ...rung('edit', 1, [0, 0.05, -0.05], 0)]);
    expect(found.knowing).toBe(1);
    // Of 9 pairs with the retrained ones 4 lie above, one is level, 4 lie below.
    expect(found.deception).toBe(0.5);
  });

  it('is null where the pool cannot tell, and leaves out what was not measured', () => {
    const found = judge([...rung('retrain', 0, [0, Number.NaN]), ...rung('original', 1, [1, 2])]);
    expect(found).toMatchObject({
      knowing: null,
      deception: null,
      overforgetting: null,
      measured: 3,
      models: 4,
    });
    expect(judge([]).graded).toBeNull();
    expect(judge(rung('retrain', 0, [1, 2])).reliability).toBeNull();
  });

  it('reliability is 0 where seeds differ as much as kinds of models', () => {
    const found = judge([...rung('a', 0, [0, 1, 2, 3]), ...rung('b', 1, [0, 1, 2, 3])]);
    expect(found.reliability).toBe(0);
    expect(found.knowing).toBe(0.5);
  });
});

it('Kendall: ties count in neither direction (tau-b)', () => {
  // Of 6 pairs 3 are in order, one is not, and one is tied on each side.
  expect(
    kendall([
      [1, 1],
      [2, 3],
      [2, 2],
      [3, 2],
    ]),
  ).toBeCloseTo((3 - 1) / 5, 12);
  expect(kendall([[1, 1]])).toBeNull();
});
