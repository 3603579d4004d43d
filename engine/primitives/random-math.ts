export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let i = 0; i < 10; i++) {
    const p0 = BigInt(c0) * 0xd2511f53n;
    const p1 = BigInt(c2) * 0xcd9e8d57n;
    [c0, c1, c2, c3] = [
      Number((p1 >> 32n) ^ BigInt(c1) ^ BigInt(k0)),
      Number(p1 & 0xffffffffn),
      Number((p0 >> 32n) ^ BigInt(c3) ^ BigInt(k1)),
      Number(p0 & 0xffffffffn),
    ];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}
export const logUnit = (u: number): number => Math.log(u);
export const sinCosTwoPi = (u: number): [number, number] => [
  Math.sin(2 * Math.PI * u),
  Math.cos(2 * Math.PI * u),
];
