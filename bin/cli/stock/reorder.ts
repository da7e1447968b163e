/** `stock reorder`: at how many pieces a product is to be ordered again; one, or a CSV file of many. */
import type { Command } from 'commander';
import { z } from 'zod';
import { quote, VALUE_CHARS_MAX } from '#runtime/scrub.ts';
import {
  listReorderPoints,
  type ReorderPoint,
  removeReorderPoint,
  storeReorderPoints,
} from '#sql/stock/reorder_points.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { findRetailer, listRetailers } from '#sql/tenants/retailers.ts';
import { FileInvalid, LINES_HINT, type Line, linesStored, readCsv } from '../shared/csv.ts';
import type { Cli } from '../shared/noun.ts';
import { readFileOf } from '../shared/read_file.ts';
import { openSession, type Session } from '../shared/session.ts';
import { wholeNumber } from '../ui/arguments.ts';

const BYTES_MAX = 50_000_000;
const QUANTITY_MAX = 999_999_999;

const sku = z
  .string('is needed')
  .regex(/^[^\p{Cc}]{1,500}$/u, 'is not 1 to 500 characters without control characters');

const shape = z.strictObject({
  sku,
  quantity: z
    .string('is needed')
    .regex(/^\d{1,9}$/, `is not a whole number from 0 to ${QUANTITY_MAX}`)
    .transform(Number),
  retailer: z.string().optional(),
});

type Which = { brand: string; retailer?: string };

export function addReorderVerbs(command: Command, cli: Cli): void {
  const reorder = command
    .command('reorder')
    .description('at how many pieces a product is to be ordered again');
  addSet(reorder, cli);
  addImport(reorder, cli);
  addList(reorder, cli);
  addRemove(reorder, cli);
}

function ofBrand(verb: Command): Command {
  return verb.requiredOption('--brand <brand>', 'brand that sells it');
}

const ONE = 'of this retailer alone; else of all that have none of their own';

function addSet(command: Command, cli: Cli): void {
  const verb = ofBrand(command.command('set').description('set the reorder point of a product'))
    .argument('<sku>', 'its SKU; the id of the variant if it has none')
    .argument('<quantity>', 'it is low at so many pieces or fewer', wholeNumber(0, QUANTITY_MAX))
    .option('--retailer <retailer>', ONE);
  verb.action(async (given: string, quantity: number, which: Which) => {
    if (!sku.safeParse(given).success)
      verb.error('error: a SKU is 1 to 500 characters without control characters');
    await using session = await openSession(cli);
    const { brandId, retailerId } = await found(session, which);
    const at = which.retailer === undefined ? '' : ` at ${which.retailer}`;
    await store(
      cli,
      session,
      { brandId, target: given, brand: which.brand },
      [{ retailerId, sku: given, quantity }],
      (changed) => `${given} is low${at} at ${quantity} or fewer${changed === 0 ? ' already' : ''}.`,
    );
  });
}

function addImport(command: Command, cli: Cli): void {
  ofBrand(
    command.command('import').description('take reorder points from a CSV file: sku,quantity[,retailer]'),
  )
    .argument('<file>', 'with a header, or - for standard input: all of it, or nothing')
    .action(async (file: string, { brand }: Which) => {
      const read = await readFileOf(file, cli.io.stdin, { kind: 'a CSV file', bytesMax: BYTES_MAX });
      const lines = readCsv(read, shape);
      await using session = await openSession(cli);
      const { id: brandId } = await findBrand(session.db, brand);
      const points = await pointsOf(session, brandId, read.name, lines);
      await store(cli, session, { brandId, target: read.name, brand }, points, (changed) =>
        linesStored(read.name, { lines: points.length, changed }),
      );
    });
}

async function pointsOf(
  session: Session,
  brandId: string,
  file: string,
  lines: readonly Line<z.output<typeof shape>>[],
): Promise<ReorderPoint[]> {
  const retailers = new Map((await listRetailers(session.db, brandId)).map(({ slug, id }) => [slug, id]));
  const seen = new Map<string, number>();
  const faults = lines.flatMap(({ line, sku, retailer }) => {
    const key = JSON.stringify([sku, retailer]);
    const before = seen.get(key);
    seen.set(key, line);
    return [
      ...(retailer === undefined || retailers.has(retailer)
        ? []
        : [`line ${line}, retailer ${quote(retailer, VALUE_CHARS_MAX)}: there is no such retailer`]),
      ...(before === undefined
        ? []
        : [`line ${line}, sku: says the same SKU and retailer as line ${before}`]),
    ];
  });
  if (faults.length > 0) throw new FileInvalid(file, faults, LINES_HINT);
  return lines.map(({ sku, quantity, retailer }) => ({
    ...{ sku, quantity },
    retailerId: (retailer !== undefined && retailers.get(retailer)) || null,
  }));
}

type Target = { brandId: string; brand: string; target: string };

async function store(
  cli: Cli,
  { db }: Session,
  { brand, ...target }: Target,
  points: readonly ReorderPoint[],
  said: (changed: number) => string,
): Promise<void> {
  const changed = await db.transaction((tx) => storeReorderPoints(tx, target, points));
  cli.out.record({ brand, rows: points.length, changed }, () => [said(changed)]);
  cli.out.say(`Next: npx nightshift stock list --brand ${brand} --low`);
}

function addList(command: Command, cli: Cli): void {
  ofBrand(command.command('list').description('list reorder points')).action(async ({ brand }: Which) => {
    await using session = await openSession(cli);
    const { id } = await findBrand(session.db, brand);
    cli.out.list(await listReorderPoints(session.db, id), ['sku', 'retailer', 'quantity']);
  });
}

function addRemove(command: Command, cli: Cli): void {
  ofBrand(command.command('remove').description('remove a reorder point'))
    .argument('<sku>', 'the SKU')
    .option('--retailer <retailer>', ONE)
    .action(async (sku: string, which: Which) => {
      await using session = await openSession(cli);
      const target = await found(session, which);
      const removed = await session.db.transaction((tx) => removeReorderPoint(tx, { ...target, sku }));
      cli.out.record({ brand: which.brand, sku, removed }, () => [
        removed ? `Removed the reorder point of ${sku}.` : `There was none of ${sku}: nothing changes.`,
      ]);
    });
}

async function found({ db }: Session, { brand, retailer }: Which) {
  const { id: brandId } = await findBrand(db, brand);
  const retailerId = retailer === undefined ? null : (await findRetailer(db, brandId, retailer)).id;
  return { brandId, retailerId };
}
