/** Short lists that are read completely each night: unsubscribe groups and templates. */
import type { Item } from '#sql/load/table.ts';
import { type RecordTable, recordTable, rest } from '../../kit/columns.ts';
import type { Fields } from '../../kit/fields.ts';
import { contentOf, resultOf } from '../../kit/records.ts';
import { unlistedAtAll } from '../../kit/stored/stored.ts';
import { flag, id, idOf, momentIfAny, text } from '../api/columns.ts';
import { byToken, type ListPage, recordsOf } from '../api/lists.ts';
import { type Steps, sendgridStream } from '../stream.ts';
import type { SendGridRun } from '../sync/sync_run.ts';

type WholeList = { table: RecordTable; pages(run: SendGridRun): AsyncIterable<ListPage> };

async function* readWhole(run: SendGridRun, { table, pages }: WholeList, at: Date): Steps {
  const listed = new Set<string>();
  let isComplete = true;
  for await (const { records, sentAt } of pages(run)) {
    const content = contentOf(records.map((record) => resultOf(record, () => itemOf(table, record, sentAt))));
    for (const { id: one } of content.items) listed.add(one);
    isComplete &&= content.rejected.length === 0;
    yield content;
  }
  if (isComplete) {
    const gone = await unlistedAtAll(run.context, { tables: [table] }, listed);
    yield { deletions: gone.map((one) => ({ id: one, deletedAt: at })) };
  }
  return true;
}

function itemOf(table: RecordTable, record: Fields, sentAt: Date): Item {
  const row = table.rowOf(record);
  return { id: idOf(record, 'id'), changedAt: sentAt, rows: { [table.name]: [row] } };
}

export const groups = recordTable({
  name: 'raw.sendgrid_unsubscribe_groups',
  key: ['id'],
  observed: true,
  personal: null,
  columns: { id: id('id'), name: text('name'), is_default: flag('is_default'), payload: rest() },
});
const GROUPS = '/v3/asm/groups';

export const unsubscribeGroupsStream = sendgridStream({
  name: 'unsubscribe_groups',
  scopes: ['asm.groups.read'],
  costs: 'the names of unsubscribe groups',
  tables: [groups],
  read: ({ run, at }) => readWhole(run, { table: groups, pages: groupPages }, at),
});

async function* groupPages({ sendgrid }: SendGridRun): AsyncGenerator<ListPage> {
  yield await sendgrid.get(GROUPS, [], (body, sentAt) => {
    return { records: recordsOf(GROUPS, body), sentAt, next: undefined };
  });
}

const templates = recordTable({
  name: 'raw.sendgrid_templates',
  key: ['id'],
  observed: true,
  personal: null,
  columns: {
    id: id('id'),
    name: text('name'),
    generation: text('generation'),
    updated_at: momentIfAny('updated_at'),
    payload: rest(),
  },
});
const BOTH = [['generations', 'legacy,dynamic']] as const;

export const templatesStream = sendgridStream({
  name: 'templates',
  scopes: ['templates.read'],
  costs: 'the names of templates',
  tables: [templates],
  read: ({ run, at }) => readWhole(run, { table: templates, pages: templatePages }, at),
});

function templatePages({ sendgrid }: SendGridRun): AsyncIterable<ListPage> {
  return byToken(sendgrid, '/v3/templates', BOTH, { field: 'result', size: 200 });
}
