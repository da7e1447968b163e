/** Why a figure has changed. A mark may say it; otherwise the columns of the row that differ do. */

/** Of several that name one partition the first counts: a person's own change explains the most. */
export const CAUSES = [
  'mapping',
  'changed_definition',
  'revised_rate',
  'late_order',
  'edited_order',
  'late_refund',
  'added_touch',
  'changed_spend',
  'changed_cost',
  'late_data',
  'rebuilt',
] as const;

export type Cause = (typeof CAUSES)[number];

/** Nothing more is known than that its data came or changed after it was final. */
export const UNKNOWN: Cause = 'late_data';

/** Computed again though nothing is known to have changed: what differs all the same is told as a changed definition. */
export const REBUILT: Cause = 'rebuilt';

/** What a person has changed explains every column of a row. */
export const DEFINITIONS: readonly Cause[] = ['mapping', 'changed_definition'];

/** Partitions, each with the cause that is known of it. */
export type Caused = Map<string, Cause | null>;

export function addCaused(to: Caused, partition: string, cause: Cause | null = null): void {
  const known = to.get(partition) ?? null;
  to.set(partition, [known, cause].filter((one) => one !== null).sort(byRank)[0] ?? null);
}

function byRank(one: Cause, other: Cause): number {
  return CAUSES.indexOf(one) - CAUSES.indexOf(other);
}

/** SQL: a column is more than it was. `s` is the stored row and `f` the fresh one; no row counts as zero. */
export const rises = (column: string): string => `coalesce(f.${column}, 0) > coalesce(s.${column}, 0)`;

/** SQL: one of the columns is another number than it was. */
export const moves = (...columns: readonly string[]): string =>
  columns.map((column) => `coalesce(f.${column}, 0) <> coalesce(s.${column}, 0)`).join(' or ');
