// What has to be known of operations outside TypeScript too, said once: how many operands an elementwise operation takes,
// what it costs, and the numbers that the addon knows operations and types by. Operations are numbered by their place
// here. The build makes a C++ header of this file (native/header.mjs), which it reads as JavaScript, before anything is
// compiled: hence no types and no imports. Where an operation has no row, or a row no operation, that does not compile.

/**
 * Elementwise operations by the number of their operands, each with what it costs, in additions, about. What costs 1 is
 * worth doing again in place of storing it; 8 and more is a function that takes a polynomial or a loop.
 */
export const ELEMENTWISE = {
  unary: {
    neg: 1,
    abs: 1,
    sign: 1,
    exp: 8,
    log: 8,
    log1p: 8,
    expm1: 8,
    sqrt: 2,
    rsqrt: 2,
    tanh: 8,
    sigmoid: 8,
    erf: 8,
    sin: 8,
    cos: 8,
    floor: 2,
    relu: 1,
    identity: 1,
    not: 1,
    convert: 1,
  },
  binary: {
    add: 1,
    sub: 1,
    mul: 1,
    div: 1,
    maximum: 1,
    minimum: 1,
    pow: 16,
    less: 1,
    lessEqual: 1,
    equal: 1,
    and: 1,
    or: 1,
  },
  ternary: { select: 1 },
  constant: { full: 1 },
};

/** What each elementwise operation costs; in the order of their numbers. */
export const COST = {
  ...ELEMENTWISE.unary,
  ...ELEMENTWISE.binary,
  ...ELEMENTWISE.ternary,
  ...ELEMENTWISE.constant,
};

/** Primitives with kernels of their own, each with whether its kernel also does a prologue and an epilogue. */
export const ROOTS = {
  pad: false,
  concat: false,
  iota: false,
  sum: false,
  max: false,
  min: false,
  argmax: false,
  argmin: false,
  moments: false,
  cumsum: false,
  sort: false,
  gather: false,
  scatter: false,
  gatherAlong: false,
  scatterAlong: false,
  dot: true,
  conv: true,
  convGradInput: true,
  convGradWeight: true,
  maxPool: false,
  sumPool: false,
  sumPoolTranspose: false,
  random: false,
  attention: false,
  attentionSum: false,
};

/** How elements are joined. Fused loops have the first three; `moments` is a root only. */
export const REDUCTIONS = { sum: 0, max: 1, min: 2, moments: 3 };
/** The types that the CPU computes with. */
export const DTYPES = { float32: 0, int32: 1, uint32: 2, bool: 3 };
export const SLOT_KINDS = { input: 0, output: 1, temporary: 2 };
export const DISTRIBUTIONS = { bits: 0, uniform: 1, normal: 2 };
/** Keys that query i sees: all, those up to i, those from i on. */
export const SIGHTS = { all: 0, past: 1, future: 2 };

/** The names of the parameters of primitives with kernels, each with the numbers of the words it may be. */
export const PARAMETERS = {
  axes: {},
  axis: {},
  dilation: {},
  distribution: DISTRIBUTIONS,
  dtype: DTYPES,
  groups: {},
  high: {},
  inputSize: {},
  interior: {},
  kernelSize: {},
  low: {},
  padding: {},
  reverse: {},
  scale: {},
  sees: SIGHTS,
  shape: {},
  size: {},
  stride: {},
  transposeA: {},
  transposeB: {},
};

/** Elements of a row at most in work on rows on the CPU: a batch has to stay in its caches. */
export const LONGEST_ROW = 8192;

/** To be raised where native/encode.ts writes a program in another layout. */
const LAYOUT = 5;

/** The same number on both sides, or else an addon was built from other sources than these. */
export const SIGNATURE = Array.from(
  JSON.stringify([LAYOUT, ELEMENTWISE, ROOTS, REDUCTIONS, SLOT_KINDS, PARAMETERS, LONGEST_ROW]),
).reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0, 0);
