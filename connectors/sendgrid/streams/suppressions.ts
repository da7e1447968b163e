/**
 * Lists of addresses that get no mail: bounces, blocks, invalid addresses, spam reports, global unsubscribes, and those
 * of unsubscribe groups. An address is kept as a digest only (`sql/tenants/persons.ts`). Blocks are no suppression:
 * later mail is still tried. https://www.twilio.com/docs/sendgrid/api-reference/suppressions
 */
import { erasedAddresses, pseudonymIn } from '#sql/load/redact/erased.ts';
import type { Item } from '#sql/load/table.ts';
import { type PersonOf, personsOf } from '#sql/tenants/persons.ts';
import { columnsOf, noPayload, recordTable } from '../../kit/columns.ts';
import { type Fields, InvalidField, text as textOf } from '../../kit/fields.ts';
import { contentOf, resultOf } from '../../kit/records.ts';
import { unlistedAtAll } from '../../kit/stored/stored.ts';
import { idIfAny, idOf, secondsOf, textIfAny } from '../api/columns.ts';
import { byOffset, recordsOf } from '../api/lists.ts';
import { type Reading, type Step, type Steps, sendgridStream } from '../stream.ts';
import { isMoved } from '../sync/look.ts';
import type { SendGridRun } from '../sync/sync_run.ts';

const PAGE = 500;
const OVERLAP = 50;
/** Entries may appear later than others of their time. */
const OVERLAP_SECONDS = 60 * 60;
/** Who it is, and what servers said of the mailbox. */
const PERSONAL = new Set(['email', 'reason', 'ip']);

type Of = { id: string; person: string };
const own = columnsOf<Of>('text', (_record, key, of) => of[key as keyof Of]);

function listTable(name: `raw.${string}`) {
  return recordTable<Of>({
    name,
    key: ['id'],
    observed: true,
    personal: { of: [{ column: 'email_hash', as: 'email' }], within: ['id'] },
    columns: {
      id: own('id'),
      email_hash: own('person', { indexed: true }),
      group_id: idIfAny('group_id'),
      status: textIfAny('status'),
      created_at: columnsOf('timestamptz', createdOf)('created'),
      payload: noPayload,
    },
  });
}

function createdOf(record: Fields): Date {
  return secondsOf(record, record.created === undefined ? 'created_at' : 'created');
}

type ListTable = ReturnType<typeof listTable>;

function itemOf(
  table: ListTable,
  record: Fields,
  { sentAt, personOf }: { sentAt: Date; personOf: PersonOf },
): Item {
  const person = personOf(textOf(record, 'email'));
  if (person === null) throw new InvalidField('email', 'an address wanted');
  const group = record.group_id === undefined ? '' : `${idOf(record, 'group_id')} `;
  const key = `${group}${person} ${createdOf(record).getTime() / 1000}`;
  return { id: key, changedAt: sentAt, rows: { [table.name]: [table.rowOf(record, { id: key, person })] } };
}

function stepOf(
  table: ListTable,
  records: readonly Fields[],
  of: { sentAt: Date; personOf: PersonOf },
): Step {
  const kept = { leftOut: PERSONAL };
  return contentOf(records.map((record) => resultOf(record, () => itemOf(table, record, of), kept)));
}

/** `known`: the pseudonyms that `personOf` gives. */
type Persons = { personOf: PersonOf; known: ReadonlySet<string> };

async function personsIn({ context: { db, sealer, connection } }: SendGridRun): Promise<Persons> {
  const known = await erasedAddresses(db, connection.brandId);
  return { known, personOf: await personsOf(db, sealer, connection.brandId) };
}

/**
 * Entries that a complete list lacks were deleted by somebody. One whose person was erased since the list was begun is in it
 * by the digest: it is left to the next list.
 */
async function vanished(
  run: SendGridRun,
  table: ListTable,
  { listed, known, at }: { listed: ReadonlySet<string>; known: ReadonlySet<string>; at: Date },
): Promise<Step> {
  const unlisted = await unlistedAtAll(run.context, { tables: [table] }, listed);
  const gone = unlisted.filter((id) => {
    const pseudonym = pseudonymIn(id);
    return pseudonym === undefined || known.has(pseudonym);
  });
  return { deletions: gone.map((id) => ({ id, deletedAt: at })) };
}

function suppressionStream(list: string, costs: string) {
  const table = listTable(`raw.sendgrid_${list}`);
  /** Within a closed window, because a list that grows would repeat rows. */
  async function* entries(
    run: SendGridRun,
    { from, to }: { from: number; to: number },
    { next, isComplete, at }: { next?: string | undefined; isComplete: boolean; at: Date },
  ): Steps {
    const { personOf, known } = await personsIn(run);
    const params = [
      ['start_time', String(from)],
      ['end_time', String(to)],
    ] as const;
    const listed = new Set<string>();
    let isSure = next === undefined;
    const paged = { size: PAGE, from: Number(next ?? 0), overlap: OVERLAP };
    for await (const page of byOffset(run.sendgrid, `/v3/suppression/${list}`, params, paged)) {
      const step = stepOf(table, page.records, { sentAt: page.sentAt, personOf });
      for (const item of step.items ?? []) listed.add(item.id);
      isSure &&= step.rejected?.length === 0 && !page.isBehindGap;
      yield { ...step, ...(page.next !== undefined && { next: page.next }) };
    }
    if (isComplete) yield isSure ? vanished(run, table, { listed, known, at }) : { isPart: true };
    return true;
  }
  const read = ({ run, extent, at, next }: Reading) => {
    const to = Math.floor(at.getTime() / 1000);
    const isComplete = extent === 'all' || extent === 'week';
    const seen = run.position.changesTo?.getTime() ?? 0;
    const from = isComplete ? 0 : Math.max(0, Math.floor(seen / 1000) - OVERLAP_SECONDS);
    return entries(run, { from, to }, { next, isComplete, at });
  };
  return sendgridStream({
    ...{ name: list, scopes: ['suppression.read'], costs, tables: [table], read },
    async *hour(reading) {
      return (await isMoved(reading.run, list)) ? yield* read(reading) : false;
    },
    window: (run, { since, until }) => {
      const [from, to] = [since, until].map((date) => Math.floor(date.getTime() / 1000));
      return entries(run, { from: from ?? 0, to: to ?? 0 }, { isComplete: false, at: until });
    },
  });
}

export const suppressionStreams = [
  suppressionStream('bounces', 'the addresses that bounced'),
  suppressionStream('blocks', 'the addresses whose servers refused mail'),
  suppressionStream('invalid_emails', 'the invalid addresses'),
  suppressionStream('spam_reports', 'the addresses that reported spam'),
  suppressionStream('unsubscribes', 'the addresses that unsubscribed from everything'),
];

const GROUPS = '/v3/asm/suppressions';
const members = listTable('raw.sendgrid_group_unsubscribes');

/** The whole list comes in one answer, so it is read once a week. */
export const groupUnsubscribesStream = sendgridStream({
  name: 'group_unsubscribes',
  scopes: ['asm.groups.read'],
  costs: 'the addresses that unsubscribed from a group',
  tables: [members],
  async *read({ run, extent, at }) {
    if (extent === 'night') return false;
    const { personOf, known } = await personsIn(run);
    const { records, sentAt } = await run.sendgrid.get(GROUPS, [], (body, sent) => ({
      records: recordsOf(GROUPS, body),
      sentAt: sent,
    }));
    const step = stepOf(members, records, { sentAt, personOf });
    yield step;
    const listed = new Set((step.items ?? []).map((item) => item.id));
    yield step.rejected?.length === 0 ? vanished(run, members, { listed, known, at }) : { isPart: true };
    return true;
  },
});

export const suppressionTables = [...suppressionStreams, groupUnsubscribesStream].flatMap(
  ({ tables }) => tables,
);
