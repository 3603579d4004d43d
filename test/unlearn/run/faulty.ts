// A disk of which some calls fail.

import { disk } from '../../../unlearn/files.ts';

/** The calls of `disk`, of which those that `fails` says throw an error of this code. */
export function faulty(code: string, fails: (call: number) => boolean) {
  const hit: string[] = [];
  let calls = 0;
  const real = { ...disk };
  const pass = (name: string, path: unknown) => {
    if (!fails(++calls)) return;
    hit.push(`${name} '${path}'`);
    // Call and path stand in the reason: those that end Node's own messages are not repeated.
    throw Object.assign(new Error(`${code}: no luck at ${name} '${path}'`), { code });
  };
  const around =
    (name: keyof typeof disk) =>
    (...args: unknown[]) => {
      // What is not synchronous rejects.
      if (name === 'appendFileSync') pass(name, args[0]);
      else
        try {
          pass(name, args[0]);
        } catch (cause) {
          return Promise.reject(cause);
        }
      return (real[name] as (...a: unknown[]) => unknown)(...args);
    };
  const names = Object.keys(real) as (keyof typeof disk)[];
  const broken = Object.fromEntries(names.map((name) => [name, around(name)])) as unknown as typeof disk;
  const open_ = broken.open;
  broken.open = async (...args) => {
    const handle = await open_(...args);
    const { writeFile } = handle;
    handle.writeFile = async (...a) => {
      pass('write', args[0]);
      return writeFile.apply(handle, a);
    };
    handle.sync = async () => pass('fsync', args[0]);
    return handle;
  };
  return { broken, hit, count: () => calls };
}
