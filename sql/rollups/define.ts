/** Makes a rollup from its descriptor and the queries beside it. */
import { readFileSync } from 'node:fs';
import { mergeStatement, objectsStatement } from './merge.ts';
import type { Rollup } from './rollup.ts';

type Descriptor = Omit<
  Rollup,
  'fresh' | 'changed' | 'objects' | 'reached' | 'reachedByDays' | 'sql' | 'objectsSql' | 'daysSql' | 'proof'
>;

/** Reads the queries beside the descriptor at import: a missing file stops the start, before any job fails. */
export function defineRollup(descriptorUrl: string, descriptor: Descriptor): Rollup {
  const { name, handsOn, object, followsDays, exchanges, isProved } = descriptor;
  const read = (file: string) => readFileSync(new URL(`./${file}`, descriptorUrl), 'utf8').trimEnd();
  const reached = exchanges?.subjects.map((subject) => [subject, read(`${name}.${subject}.sql`)]);
  return composeRollup({
    ...descriptor,
    fresh: read(`${name}.sql`),
    ...(handsOn === 'query' && { changed: read(`${name}.touched.sql`) }),
    ...(object && { objects: read(`${name}.objects.sql`) }),
    ...(followsDays && { reachedByDays: read(`${name}.days.sql`) }),
    ...(reached && { reached: Object.fromEntries(reached) }),
    ...(isProved && { proof: read(`${name}.proof.sql`) }),
  });
}

/** The statements of a rollup, generated from its descriptor and its queries. */
export function composeRollup(declared: Omit<Rollup, 'sql' | 'objectsSql' | 'daysSql'>): Rollup {
  const { objects, reachedByDays } = declared;
  return {
    ...declared,
    sql: mergeStatement(declared),
    ...(objects !== undefined && { objectsSql: objectsStatement(declared, objects) }),
    ...(reachedByDays !== undefined && { daysSql: objectsStatement(declared, reachedByDays) }),
  };
}
