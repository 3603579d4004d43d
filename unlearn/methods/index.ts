// The methods by name: methods.NAME(options).unlearn(input). None is here yet.

import type { Method } from '../types.ts';

export const methods: Readonly<Record<string, (options?: object) => Method>> = {};
