/**
 * Campaigns of Marketing Campaigns. There is no list of changes: all are listed, and those that changed are read one by
 * one, because only that says to which lists they went. https://www.twilio.com/docs/sendgrid/api-reference/single-sends
 */
import type { Item } from '#sql/load/table.ts';
import { column, recordTable, rest } from '../../kit/columns.ts';
import { Denied } from '../../kit/errors.ts';
import { failingChecks } from '../../kit/failing.ts';
import { type Fields, isObject, text as textOf } from '../../kit/fields.ts';
import { completeResult, contentOf, type Result } from '../../kit/records.ts';
import { storedRows, unlistedAtAll } from '../../kit/stored/stored.ts';
import type { Check, StreamContext } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import { ObjectMissing } from '../api/answers.ts';
import { isEuropean } from '../api/client.ts';
import { moment, momentIfAny, text, textIfAnyOf, texts, textsIfAnyOf } from '../api/columns.ts';
import { byToken } from '../api/lists.ts';
import { mailOfSingleSends } from '../invalidations.ts';
import { PROVIDER } from '../key.ts';
import { type Steps, sendgridStream } from '../stream.ts';
import { openRun, type SendGridRun } from '../sync/sync_run.ts';

const PATH = '/v3/marketing/singlesends';
const PAGE = 50;
const PLAN = 'marketing plan';
const LEFT_OUT = new Set(['email_config', 'warnings', 'abtest']);

const within = (record: Fields, key: string): Fields => (isObject(record[key]) ? record[key] : {});

export const singleSends = recordTable({
  name: 'raw.sendgrid_single_sends',
  key: ['id'],
  partColumn: 'parts',
  personal: null,
  columns: {
    id: text('id'),
    name: text('name'),
    status: text('status'),
    categories: texts('categories'),
    list_ids: column('text[]', (record) => textsIfAnyOf(within(record, 'send_to'), 'list_ids')),
    parts: column('text[]', partsOf),
    subject: column('text', (record) => textIfAnyOf(within(record, 'email_config'), 'subject')),
    send_at: momentIfAny('send_at'),
    created_at: moment('created_at'),
    updated_at: moment('updated_at'),
    payload: rest(LEFT_OUT),
  },
});

function partsOf(record: Fields): string[] {
  const lists = textsIfAnyOf(within(record, 'send_to'), 'list_ids').map((id) => `list:${id}`);
  return [...lists, ...textsIfAnyOf(record, 'categories').map((name) => `category:${name}`)];
}

function itemOf(record: Fields): Item {
  const row = singleSends.rowOf(record);
  return {
    ...{ id: textOf(record, 'id'), changedAt: row.updated_at as Date },
    rows: { [singleSends.name]: [row] },
  };
}

/** The whole object; undefined if SendGrid does not have it any more. */
async function detailOf({ sendgrid }: SendGridRun, id: string): Promise<Fields | undefined> {
  try {
    return await sendgrid.get(`${PATH}/${encodeURIComponent(id)}`, [], (body) =>
      isObject(body) ? body : {},
    );
  } catch (error) {
    if (error instanceof ObjectMissing) return undefined;
    throw error;
  }
}

async function resultsOf(run: SendGridRun, records: readonly Fields[]): Promise<Result<Item>[]> {
  const results: Result<Item>[] = [];
  for (const record of records) {
    const complete = async () => (await detailOf(run, textOf(record, 'id'))) ?? record;
    results.push(await completeResult(record, { complete, make: itemOf }));
  }
  return results;
}

async function changedOf(run: SendGridRun, records: readonly Fields[]): Promise<readonly Fields[]> {
  const ids = records.flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
  const columns = ['id', 'status', 'send_at', 'updated_at', 'deleted_at'];
  const stored = await storedRows(run.context, singleSends.name, ids, columns);
  const known = new Map(stored.map((row) => [row.id, row.deleted_at ? undefined : stateOf(row)]));
  return records.filter((record) => known.get(String(record.id)) !== stateOf(record));
}

/** What the list says of it: nobody promises that going out counts as a change. */
function stateOf({ status, send_at, updated_at }: Fields): string {
  const at = (time: unknown) => (time ? new Date(time as Date | string).getTime() : null);
  return JSON.stringify([status, at(send_at), at(updated_at)]);
}

export const singleSendsStream = sendgridStream({
  name: 'single_sends',
  scopes: ['marketing.read'],
  costs: 'campaigns with their names, lists and subjects',
  tables: [singleSends],
  dependents: [mailOfSingleSends],
  async *read({ run, extent, at, next }): Steps {
    if (isEuropean(run.context.connection)) return true; // marketing is on the global host alone
    const listed = new Set<string>();
    const before = await failingChecks(run.context, 'sendgrid.single_sends');
    const paged = { field: 'result', size: PAGE, from: next };
    for await (const { records, next: more } of listPages(run, paged)) {
      for (const { id } of records) if (typeof id === 'string') listed.add(id);
      const changed = extent === 'all' && run.context.full ? records : await changedOf(run, records);
      yield { ...contentOf(await resultsOf(run, changed)), ...(more !== undefined && { next: more }) };
    }
    if (next !== undefined) {
      yield { isPart: true }; // what an earlier run listed is not known here
      return true;
    }
    const gone = await unlistedAtAll(run.context, { tables: [singleSends] }, listed);
    const checks = planChecks(listed.size, run.position.changesTo === undefined || before.has(PLAN));
    yield { deletions: gone.map((id) => ({ id, deletedAt: at })), checks };
    return true;
  },
  async *fetch(context: StreamContext, ids: readonly string[]) {
    const run = openRun(context);
    for (const id of ids) {
      const found = await detailOf(run, id);
      const deleted = { deletions: [{ id, deletedAt: context.now() }] };
      yield { ...emptyPage(run), ...(found ? contentOf(await resultsOf(run, [found])) : deleted) };
    }
  },
});

/** A list that is not there takes a plan. */
async function* listPages(
  run: SendGridRun,
  paged: { field: string; size: number; from: string | undefined },
) {
  try {
    yield* byToken(run.sendgrid, PATH, [], paged);
  } catch (error) {
    if (!(error instanceof ObjectMissing)) throw error;
    throw new Denied(PROVIDER, run.context.connection, error.message);
  }
}

/** Without a plan the list is empty, which is no success as long as nobody has confirmed it. */
function planChecks(count: number, isOpen: boolean): Check[] {
  if (!isOpen) return [];
  if (count > 0) return [{ name: PLAN, ok: true }];
  const cause = `${PROVIDER} lists no single send: the account has no marketing plan, or nothing was sent with it yet`;
  return [{ name: PLAN, ok: false, cause }];
}
