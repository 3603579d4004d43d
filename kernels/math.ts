// Functions in WGSL that kernels call, added to a source where they are named. WGSL lets an implementation assume that
// there are no NaN and no infinities, states loose bounds for its elementary functions (and none for tanh of large
// arguments), and differs from C in integer division; these are exact about all of it. NaN is told by bits. The
// polynomials are those of the CPU backend (after Cephes), in float32 throughout: errors of 1 to 3 units in the last
// place, pow within half a unit per unit of |y ln x|, sin and cos for |x| up to some ten thousand.

const LIBRARY: Readonly<Record<string, string>> = {
  floatOf: 'fn floatOf(bits: u32) -> f32 { return bitcast<f32>(bits); }',
  // The nearest half. Not a conversion there and back: compilers take that out.
  halfOf: `fn halfOf(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let size = bits & 0x7fffffffu;
  let normal = (size + 0xfffu + ((size >> 13u) & 1u)) & 0xffffe000u;
  // Below 2^-14 halves are multiples of 2^-24, the step of numbers from 0.5 to 1.
  let steps = bitcast<u32>(bitcast<f32>(size) + 0.5f) - 0x3f000000u;
  let small = bitcast<u32>(f32(steps) * 5.9604644775390625e-8f);
  var nearest = select(normal, small, size < 0x38800000u);
  nearest = select(nearest, 0x7f800000u, nearest >= 0x47800000u);
  nearest = select(nearest, size, size > 0x7f800000u);
  return bitcast<f32>(nearest | (bits & 0x80000000u));
}`,
  isNan: 'fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }',
  maxOf: 'fn maxOf(a: f32, b: f32) -> f32 { return select(b, a, a > b || isNan(a)); }',
  minOf: 'fn minOf(a: f32, b: f32) -> f32 { return select(b, a, a < b || isNan(a)); }',
  divideI: `fn divideI(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  if (b == -1) { return 0 - a; }
  return a / b;
}`,
  divideU: 'fn divideU(a: u32, b: u32) -> u32 { return select(a / max(b, 1u), 0u, b == 0u); }',
  toI32: `fn toI32(x: f32) -> i32 {
  let y = i32(clamp(x, -2147483648f, 2147483520f));
  return select(select(y, 2147483647, x >= 2147483648f), 0, isNan(x));
}`,
  toU32: `fn toU32(x: f32) -> u32 {
  let y = u32(clamp(x, 0f, 4294967040f));
  return select(select(y, 4294967295u, x >= 4294967296f), 0u, isNan(x));
}`,
  powerOfTwo: 'fn powerOfTwo(n: i32) -> f32 { return bitcast<f32>(u32(n + 127) << 23u); }',
  // y * 2^n in two steps, so that results below the smallest normal number come out right.
  scaleBy:
    'fn scaleBy(y: f32, n: i32) -> f32 { let h = n >> 1u; return y * powerOfTwo(h) * powerOfTwo(n - h); }',
  // x = n ln 2 + r with |r| <= ln 2 / 2: e^r - 1, and n. Converting rounds faster than round() on a CPU.
  exponential: `struct Exponential { p: f32, n: i32 }
fn exponential(x: f32) -> Exponential {
  let k = i32(x * 1.44269504088896341f + select(-0.5f, 0.5f, x > 0f));
  let n = f32(k);
  let r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  var q = 1.9875691500e-4f;
  q = q * r + 1.3981999507e-3f;
  q = q * r + 8.3334519073e-3f;
  q = q * r + 4.1665795894e-2f;
  q = q * r + 1.6666665459e-1f;
  q = q * r + 5.0000001201e-1f;
  return Exponential(q * (r * r) + r, k);
}`,
  expOf: `fn expOf(x: f32) -> f32 {
  let e = exponential(clamp(x, -104f, 88.8f));
  let y = scaleBy(e.p + 1f, e.n);
  return select(select(y, floatOf(0x7f800000u), x > 88.7228394f), x, isNan(x));
}`,
  expm1Of: `fn expm1Of(x: f32) -> f32 {
  let e = exponential(clamp(x, -20f, 88.8f));
  let h = e.n >> 1u;
  let s = powerOfTwo(h);
  let y = (e.p * s + (s - powerOfTwo(h - e.n))) * powerOfTwo(e.n - h);
  return select(select(y, floatOf(0x7f800000u), x > 88.7228394f), x, isNan(x) || x == 0f);
}`,
  // log(1 + f) for 1 + f in [sqrt 1/2, sqrt 2), without f itself: the caller adds f last.
  logTail: `fn logTail(f: f32) -> f32 {
  var p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  return f * (f * f) * p;
}`,
  // x = m 2^e with m in [sqrt 1/2, sqrt 2), for positive x.
  split: `struct Split { m: f32, e: f32 }
fn split(x: f32) -> Split {
  let tiny = x < 1.17549435e-38f;
  let b = bitcast<i32>(select(x, x * 8388608f, tiny)) - 0x3f3504f3;
  return Split(bitcast<f32>((b & 0x007fffff) + 0x3f3504f3), f32((b >> 23u) - select(0, 23, tiny)));
}`,
  logOf: `fn logOf(x: f32) -> f32 {
  let s = split(x);
  let f = s.m - 1f;
  var y = logTail(f) - s.e * 2.12194440e-4f;
  y = y - 0.5f * (f * f);
  y = (f + y) + s.e * 0.693359375f;
  y = select(y, x, x > 3.4028234e38f);
  y = select(y, floatOf(0xff800000u), x == 0f);
  return select(y, floatOf(0x7fc00000u), x < 0f || isNan(x));
}`,
  // No 1 + x and back again, which a compiler might simplify: near zero the series is taken of x itself.
  log1pOf: `fn log1pOf(x: f32) -> f32 {
  let near = x + (logTail(x) - 0.5f * (x * x));
  let y = select(logOf(1f + x), near, x > -0.29f && x < 0.41f);
  return select(y, x, x == 0f || isNan(x));
}`,
  // x p(x^2) / q(x^2), fitted to the least largest relative error on [0, 9.01], 2.1e-8 before rounding; beyond, it is 1.
  tanhOf: `fn tanhOf(x: f32) -> f32 {
  let a = clamp(x, -9.01f, 9.01f);
  let u = a * a;
  var p = 1.3336922949e-8f;
  p = p * u + 2.0596333018e-5f;
  p = p * u + 3.4948148632e-3f;
  p = p * u + 1.3380374877e-1f;
  p = p * u + 1f;
  var q = 7.7693151388e-7f;
  q = q * u + 3.2843693082e-4f;
  q = q * u + 2.5874041476e-2f;
  q = q * u + 4.6713690300e-1f;
  q = q * u + 1f;
  return select(clamp(a * p / q, -1f, 1f), x, isNan(x));
}`,
  sigmoidOf: `fn sigmoidOf(x: f32) -> f32 {
  let e = expOf(-abs(x));
  return select(select(e, 1f, x >= 0f) / (1f + e), x, isNan(x));
}`,
  // Two polynomials after N. Juffa: one for the argument, one for log(1 - erf).
  erfOf: `fn erfOf(x: f32) -> f32 {
  let t = min(abs(x), 4f);
  let s = t * t;
  var r = -1.72853470e-5f * t + 3.83197126e-4f;
  r = r * s + (-3.88396438e-3f * t + 2.42546219e-2f);
  r = r * t - 1.06777877e-1f;
  r = r * t - 6.34846687e-1f;
  r = r * t - 1.28717512e-1f;
  r = r * t - t;
  r = 1f - expOf(r);
  var q = -5.96761703e-4f;
  q = q * s + 4.99119423e-3f;
  q = q * s - 2.67681349e-2f;
  q = q * s + 1.12819925e-1f;
  q = q * s - 3.76125336e-1f;
  q = q * s + 1.28379166e-1f;
  let y = select(q * x + x, select(r, -r, x < 0f), t > 0.927734375f);
  return select(y, x, isNan(x));
}`,
  // sin(x + quarter * pi / 2).
  sine: `fn sine(x: f32, quarter: i32) -> f32 {
  let n = round(clamp(x, -1e5f, 1e5f) * 0.636619772367581343f);
  var r = x - n * 1.5703125f;
  r = r - n * 4.837512969970703125e-4f;
  r = r - n * 7.549789948768648e-8f;
  let z = r * r;
  var a = -1.9515295891e-4f;
  a = a * z + 8.3321608736e-3f;
  a = a * z - 1.6666654611e-1f;
  var b = 2.443315711809948e-5f;
  b = b * z - 1.388731625493765e-3f;
  b = b * z + 4.166664568298827e-2f;
  let q = i32(n) + quarter;
  let y = select(a * z * r + r, b * (z * z) - 0.5f * z + 1f, (q & 1) != 0);
  // Beyond that the reduction has no digits left: whatever the device makes of it.
  let w = select(select(y, -y, (q & 2) != 0), select(sin(x), cos(x), quarter == 1), abs(x) > 1e5f);
  return select(w, floatOf(0x7fc00000u), isNan(x) || abs(x) > 3.4028234e38f);
}`,
  sinOf: 'fn sinOf(x: f32) -> f32 { return select(sine(x, 0), x, x == 0f); }',
  cosOf: 'fn cosOf(x: f32) -> f32 { return sine(x, 1); }',
  // As JavaScript's Math.pow: NaN wherever an operand is NaN (but x^0 = 1), and for (+-1)^(+-inf).
  powOf: `fn powOf(x: f32, y: f32) -> f32 {
  let wide = floatOf(0x7f800000u);
  let nan = floatOf(0x7fc00000u);
  let ax = abs(x);
  let ay = abs(y);
  let s = split(max(ax, 1e-45f));
  let f = s.m - 1f;
  let l = f + (logTail(f) - 0.5f * (f * f));
  // y (e ln 2 + l), the two products kept apart from what they round away.
  let high = y * (s.e * 0.693359375f);
  let rest = y * l - y * (s.e * 2.12194440e-4f);
  let t = clamp(high + rest, -120f, 100f);
  let k = exponential(clamp(t, -104f, 88.8f));
  let lost = select(0f, clamp((high - t) + rest, -1f, 1f), abs(high + rest) < 100f);
  var v = scaleBy((k.p + 1f) * (1f + lost), k.n);
  v = select(v, wide, t > 88.7228394f);
  let down = select(0f, wide, y < 0f);
  let up = select(wide, 0f, y < 0f);
  v = select(v, down, ax == 0f);
  v = select(v, up, ax == wide);
  v = select(v, select(select(down, up, ax > 1f), nan, ax == 1f), ay == wide);
  let cut = select(0f, ay, ay < 16777216f);
  let fraction = cut != floor(cut);
  let odd = cut * 0.5f != floor(cut * 0.5f);
  if (bitcast<i32>(x) < 0) {
    let negated = select(v, -v, odd);
    v = select(negated, select(nan, v, ax == 0f || ax == wide), fraction);
  }
  v = select(v, nan, isNan(x) || isNan(y));
  return select(v, 1f, y == 0f);
}`,
};

const NAMES = new RegExp(`\\b(${Object.keys(LIBRARY).join('|')})\\(`, 'g');

/** The source with the functions it calls, and those they call, put before it. */
export function withHelpers(source: string): string {
  const needed = new Set<string>();
  const visit = (text: string): void => {
    for (const [, name] of text.matchAll(NAMES))
      if (!needed.has(name)) {
        needed.add(name);
        visit(LIBRARY[name]);
      }
  };
  visit(source);
  // Module scope has no order in WGSL; the library's own is as good as any.
  const helpers = Object.keys(LIBRARY).filter((name) => needed.has(name));
  return [...helpers.map((name) => LIBRARY[name]), source].join('\n');
}
