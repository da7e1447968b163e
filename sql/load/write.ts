/** Writes the rows of a page from items into their tables. */
import { copyLines } from '../db/copy.ts';
import type { Tx } from '../db/pool.ts';
import { linesOf } from './lines.ts';
import type { PackedItem } from './pack.ts';
import type { Difference, NamedStatement, StreamStatements, TableStatements } from './statements.ts';
import type { Deletion, Table } from './table.ts';
import { columnsOf } from './versions.ts';

export type Load = {
  tx: Tx;
  brandId: string;
  connectionId: string;
  statements: StreamStatements;
  now: Date;
};

/** The items for staging, and the new ones for a direct write. */
export type Plan = {
  staged: readonly PackedItem[];
  direct: readonly PackedItem[];
  deletions: readonly Deletion[];
};

/** The differences that the staged rows will make. */
export type Differences = {
  /** Roots with any row to write. */
  ids: Set<string>;
  /** Roots with more changes than the version, including roots that lose a row to another. */
  content: Set<string>;
  tables: Set<Table>;
  /** Roots that lose a row to another one. */
  robbed: Set<string>;
  /** The roots to write, by table; nothing else of what is staged differs. */
  writes: Write[];
};

type Write = Staging & { missing: ReadonlySet<string> };

/** Stages the rows of a page and returns the differences from stored rows. Writes nothing yet. */
export async function stageAndCompare(load: Load, plan: Plan): Promise<Differences> {
  const differences: Differences = {
    ids: new Set(),
    content: new Set(),
    tables: new Set(),
    robbed: new Set(),
    writes: [],
  };
  const staging = stagedTables(load.statements, plan);
  if (staging.length === 0) return differences;
  await load.tx.query(staging.map(({ statements }) => statements.prepareStaging).join(';'));
  for (const staged of staging) {
    const { table, statements, items, deletions } = staged;
    await copyLines(load.tx, statements.copyToStaging, linesOf(table, items));
    const forgetful = items.filter(({ parts }) => parts.get(table)?.saysLess);
    if (statements.recall && forgetful.length > 0) await run(load, statements.recall, [idsOf(forgetful)]);
    const { rows } = await load.tx.query<Difference>({
      ...statements.compare,
      values: [load.brandId, load.connectionId, idsOf(items)],
    });
    for (const { id, content, other } of rows) {
      differences.ids.add(id);
      if (content) differences.content.add(id);
      if (other !== null) differences.content.add(other);
      if (other !== null) differences.robbed.add(other);
    }
    if (rows.length + deletions.length === 0) continue;
    const missing = new Set(rows.filter((row) => row.missing).map(({ id }) => id));
    differences.tables.add(table);
    differences.writes.push({ ...staged, missing });
  }
  for (const { id } of plan.deletions) differences.content.add(id);
  const [root] = staging;
  const isWritten = differences.writes.some(({ table }) => table === root?.table);
  if (root?.table.digested && differences.content.size > 0 && !isWritten)
    differences.writes.push({ ...root, missing: new Set() });
  return differences;
}

/** Stores what differs from the staged rows. */
export async function writeStaged(load: Load, { writes, content, robbed }: Differences): Promise<void> {
  for (const { table, statements, items, deletions, missing } of writes) {
    if (table.digested && robbed.size > 0) await run(load, statements.forgetDigests, [[...robbed]]);
    const incomplete = items.filter(({ id }) => missing.has(id));
    if (incomplete.length > 0) await run(load, statements.stageMissing, versionsOf(incomplete));
    if (deletions.length > 0) await run(load, statements.stageDeleted, columnsOf(deletions));
    const redigested = table.digested ? [...content] : [];
    await run(load, statements.write, [idsOf([...items, ...deletions]), load.now, redigested]);
  }
}

/**
 * New objects have nothing to compare with, so their rows skip staging, which halves the time. A row that exists
 * nevertheless (a child of another root) makes this fail with a unique violation.
 */
export async function writeDirect(load: Load, items: readonly PackedItem[]): Promise<void> {
  if (items.length === 0) return;
  const stamps = `\t${load.brandId}\t${load.connectionId}\t${load.now.toISOString()}`;
  for (const [table, statements] of load.statements.tables) {
    if (table.keeps === 'history' || !items.some(({ parts }) => parts.get(table)?.rows)) continue;
    await copyLines(load.tx, statements.copyToRaw, linesOf(table, items, stamps));
  }
}

type Staging = {
  table: Table;
  statements: TableStatements;
  items: readonly PackedItem[];
  /** For the root table only. */
  deletions: readonly Deletion[];
};

// A dated row is compared with earlier ones, which may belong to another root: so dated rows of new objects are staged
// too.
function stagedTables({ tables }: StreamStatements, { staged, direct, deletions }: Plan): Staging[] {
  const [root] = tables.keys();
  return [...tables].flatMap(([table, statements]) => {
    const candidates = table.keeps === 'history' ? [...staged, ...direct] : staged;
    const items = candidates.filter(({ parts }) => parts.has(table));
    const gone = table === root ? deletions : [];
    return items.length + gone.length > 0 ? [{ table, statements, items, deletions: gone }] : [];
  });
}

async function run(
  { tx, brandId, connectionId }: Load,
  statement: NamedStatement,
  values: unknown[],
): Promise<void> {
  await tx.query({ ...statement, values: [brandId, connectionId, ...values] });
}

function versionsOf(items: readonly PackedItem[]): [string[], string[]] {
  return columnsOf(items.map(({ id, changedAt }) => ({ id, deletedAt: changedAt })));
}

function idsOf(things: readonly { id: string }[]): string[] {
  return things.map(({ id }) => id);
}
