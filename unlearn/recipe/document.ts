// A recipe's text as a plain value, and where in the text each part of it stands. What the value may be is not known here.

import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  visit,
} from 'yaml';
import { LetheError } from '../../engine/error.ts';
import type { Path, Problem } from '../options/problems.ts';
import { plain, show } from '../text.ts';

/** Largest recipe read, in characters: a recipe is a page, perhaps with a list of ids, not a data file. */
const MAX_CHARACTERS = 1 << 18;

/** Both from 1. */
interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Text {
  /** What the text says; nested maps and lists are plain. */
  readonly value: Record<string, unknown>;
  /** Keys given twice. */
  readonly problems: readonly Problem[];
  /** The place of the key or the item a path leads to, or of the nearest part of it that exists. */
  placeOf(path: Path): Place;
}

/** @throws LetheError 'value' where the text is no YAML (or JSON) or no map. */
export function readText(text: string, source: string): Text {
  const wrong = (message: string, cause?: unknown) =>
    new LetheError('value', `${source}${message}`, { cause });
  if (text.length > MAX_CHARACTERS)
    throw wrong(`: a recipe of ${text.length} characters; expected at most ${MAX_CHARACTERS}`);
  const lines = new LineCounter();
  // Keys given twice are looked for below: the parser compares each with each.
  const doc = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const inWords = ({ line, column }: Place) => `:${line}:${column}`;
  const placed = (node: Node) => inWords(at(start(node)));
  const [fault] = doc.errors;
  if (fault) throw wrong(`${inWords(at(fault.pos[0]))}: ${reason(fault)}`);
  if (!isMap(doc.contents)) throw wrong(': expected a map of keys to values, such as `name: my-run`');
  const problems: Problem[] = [];
  try {
    const pairs = indexPairs(doc, (key, first) => {
      const message = `the key ${show(String(key.value))} is given twice, first at ${placed(first).slice(1)}`;
      problems.push({ path: [], message, place: `${source}${placed(key)}` });
    });
    const value = doc.toJS({ maxAliasCount: 100 }) as Record<string, unknown>;
    return { value, problems, placeOf: (path) => at(start(nodeAt(doc, pairs, path))) };
  } catch (cause) {
    throw wrong(`: ${reason(cause as Error)}`, cause);
  }
}

const start = (node: Node | null): number => node?.range?.[0] ?? 0;

/** What the parser found, on one line; an exhausted stack means the same to whoever wrote the text. */
const reason = ({ message }: Error): string =>
  /call stack/.test(message) ? 'nested too deeply' : plain(message.split('\n')[0]);

/** The pairs of each map by key: a recipe may have many keys, and many problems. */
type Pairs = ReadonlyMap<unknown, ReadonlyMap<string, KeyedPair>>;
type KeyedPair = Pair<Scalar, unknown>;

function indexPairs(doc: Document, again: (key: Scalar, first: Scalar) => void): Pairs {
  const pairs = new Map<unknown, Map<string, KeyedPair>>();
  visit(doc, {
    Map(_, map) {
      const own = new Map<string, KeyedPair>();
      pairs.set(map, own);
      for (const pair of map.items) {
        if (!isScalar(pair.key)) continue;
        const first = own.get(String(pair.key.value));
        if (first) again(pair.key, first.key);
        else own.set(String(pair.key.value), pair as KeyedPair);
      }
    },
  });
  return pairs;
}

/** The node at the end of a path, or the last before it: in a map the key, which says more than what may be a page. */
function nodeAt(doc: Document, pairs: Pairs, path: Path): Node | null {
  let at: unknown = doc.contents;
  let found: Node | null = doc.contents;
  for (const step of path) {
    const pair = pairs.get(at)?.get(String(step));
    at = pair ? pair.value : isSeq(at) ? at.items[Number(step)] : null;
    if (!pair && !isNode(at)) break;
    found = pair ? pair.key : (at as Node);
  }
  return found;
}
