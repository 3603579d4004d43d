// Sums over the sizes of a problem, as the head of a kernel file has them: `ceil(rows / 64)`, `columns % 4 == 0 and depth
// >= 16`. Numbers, names, + - * / %, comparisons, `and`, ceil, floor, min, max and parentheses; nothing else, and nothing
// that could run code. Truth is 1, falsehood 0; `/` does not round.

import { LetheError } from '../engine/error.ts';

export type Expression = (values: Readonly<Record<string, number>>) => number;

const FUNCTIONS: Readonly<Record<string, (...xs: number[]) => number>> = {
  ceil: Math.ceil,
  floor: Math.floor,
  min: Math.min,
  max: Math.max,
};
const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};
const COMPUTE: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};
const TOKEN = /\s*(\d+(?:\.\d+)?|[A-Za-z]\w*|==|!=|<=|>=|[-+*/%<>(),])/y;
const DEEPEST = 50;

/** `names` are those that may occur. Errors are 'data', begin with `where` and say at which character. */
export function parseExpression(text: string, names: readonly string[], where: string): Expression {
  const tokens: { text: string; at: number }[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (found === null)
      throw new LetheError('data', `${where}: character ${at + 1} of "${text}" is not understood`);
    tokens.push({ text: found[1], at: TOKEN.lastIndex - found[1].length });
  }
  let next = 0;
  let depth = 0;
  const fail = (expected: string): never => {
    const found = tokens[next] ? `"${tokens[next].text}" at character ${tokens[next].at + 1}` : 'the end';
    throw new LetheError('data', `${where}: expected ${expected} in "${text}", found ${found}`);
  };
  const accept = (...wanted: string[]): string | null =>
    tokens[next] && wanted.includes(tokens[next].text) ? tokens[next++].text : null;
  const expect = (wanted: string): void => {
    if (accept(wanted) === null) fail(`"${wanted}"`);
  };

  const primary = (): Expression => {
    if (++depth > DEEPEST) fail('something less nested');
    try {
      if (accept('(')) {
        const inner = all();
        expect(')');
        return inner;
      }
      if (accept('-')) {
        const inner = primary();
        return (v) => -inner(v);
      }
      const token = tokens[next]?.text ?? '';
      if (/^\d/.test(token)) {
        next++;
        return () => Number(token);
      }
      if (Object.hasOwn(FUNCTIONS, token)) {
        next++;
        expect('(');
        const args = [all()];
        while (accept(',')) args.push(all());
        expect(')');
        return (v) => FUNCTIONS[token](...args.map((a) => a(v)));
      }
      if (!names.includes(token)) fail(`a number, a function or one of ${names.join(', ')}`);
      next++;
      return (v) => v[token];
    } finally {
      depth--;
    }
  };
  const chain = (of: () => Expression, ...operators: string[]): Expression => {
    let left = of();
    for (let op = accept(...operators); op; op = accept(...operators)) {
      const [a, b, compute] = [left, of(), COMPUTE[op]];
      left = (v) => compute(a(v), b(v));
    }
    return left;
  };
  const sum = (): Expression => chain(() => chain(primary, '*', '/', '%'), '+', '-');
  const comparison = (): Expression => {
    const a = sum();
    const op = accept(...Object.keys(COMPARE));
    if (op === null) return a;
    const b = sum();
    return (v) => Number(COMPARE[op](a(v), b(v)));
  };
  const all = (): Expression => {
    const parts = [comparison()];
    while (accept('and')) parts.push(comparison());
    return parts.length === 1 ? parts[0] : (v) => Number(parts.every((p) => p(v) !== 0));
  };
  const parsed = all();
  if (next < tokens.length) fail('the end');
  return parsed;
}

/** Parts of a text at the commas outside parentheses. */
export function splitList(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const c of text) {
    depth += c === '(' ? 1 : c === ')' ? -1 : 0;
    if (c === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += c;
  }
  return parts.map((p) => p.trim());
}
