// The C++ header of what engine/primitives/table.ts says of operations: numbers, names, costs, limits. The table is TypeScript
// without types, so that it can be read here as JavaScript: in a checkout as it stands, in an installed package as it was
// compiled.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const PLACES = ['engine/primitives/table.ts', 'dist/engine/primitives/table.js'];

/** By the number of operands. */
const OPERANDS = ['constant', 'unary', 'binary', 'ternary'];

/** Numbers by place. */
const numbered = (rows) => Object.fromEntries(Object.keys(rows).map((name, number) => [name, number]));

const capitalised = (name) => name[0].toUpperCase() + name.slice(1);
/** An enumeration of C++. The decoder takes every number below the count for one of its members. */
function enumOf(type, numbers) {
  const entries = Object.entries(numbers);
  if (entries.some(([, number], i) => number !== i))
    throw new Error(`${type}: not numbered from 0 on, in order`);
  const members = entries.map(([name]) => capitalised(name)).join(', ');
  const names = entries.map(([name]) => `"${name}"`).join(', ');
  return `enum class ${type} : int { ${members} };
constexpr int k${type}s = ${entries.length};
constexpr const char* k${type}Names[] = {${names}};
`;
}

/** The header's text, for the sources under `root`. */
export async function operationsHeader(root) {
  const place = PLACES.map((path) => join(root, path)).find((path) => existsSync(path));
  if (place === undefined) throw new Error(`none of ${PLACES.join(', ')} is in ${root}`);
  const source = readFileSync(place, 'utf8');
  const table = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const operands = (name) => OPERANDS.findIndex((kind) => name in table.ELEMENTWISE[kind]);
  const steps = Object.entries(table.COST);
  const roots = Object.entries(table.ROOTS);
  return `// Made by native/header.mjs of engine/primitives/table.ts.
#pragma once
#include <cstdint>

namespace lethe {

constexpr int64_t kSignature = ${table.SIGNATURE};
constexpr int64_t kLongestRow = ${table.LONGEST_ROW};

${enumOf('Op', numbered(table.COST))}
struct OpRow {
  int operands;
  int64_t cost;
};
constexpr OpRow kOpRows[] = {
${steps.map(([name, cost]) => `    {${operands(name)}, ${cost}},  // ${name}`).join('\n')}
};

// X(name), in the order of the operations' numbers.
#define LETHE_OPS(X) \\
${steps.map(([name]) => `  X(${capitalised(name)})`).join(' \\\n')}

// X(name, name of the factory, whether its kernel does prologues and an epilogue), in the order of the roots' numbers.
#define LETHE_ROOTS(X) \\
${roots.map(([name, fuses]) => `  X("${name}", ${capitalised(name)}, ${fuses})`).join(' \\\n')}
constexpr int kRoots = ${roots.length};

${enumOf('Fold', table.REDUCTIONS)}
${enumOf('DType', table.DTYPES)}
${enumOf('SlotKind', table.SLOT_KINDS)}
${enumOf('Distribution', table.DISTRIBUTIONS)}
${enumOf('Sight', table.SIGHTS)}
${enumOf('Param', numbered(table.PARAMETERS))}
}  // namespace lethe
`;
}
