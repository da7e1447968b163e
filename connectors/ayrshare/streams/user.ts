/** The accounts that are linked to the profile, once a day. https://www.ayrshare.com/docs/apis/user/profile-details */
import { column, columnsOf, recordTable, rest } from '../../kit/columns.ts';
import { type Fields, isObject } from '../../kit/fields.ts';
import { contentOf, resultOf } from '../../kit/records.ts';
import type { Page } from '../../kit/stream.ts';
import { accountsOf, linkedIn, warningsOf } from '../api/check.ts';
import type { Ayrshare } from '../api/client.ts';
import { ayrshareStream, saved } from '../stream.ts';
import { userOf } from '../sync/networks.ts';
import { isDayDue, type Run, today } from '../sync/sync_state.ts';

export const textIfAny = columnsOf('text', (record, key) => {
  const value = record[key];
  return typeof value === 'string' ? value : null;
});

const accounts = recordTable({
  name: 'raw.ayrshare_accounts',
  key: ['id'],
  observed: true,
  personal: null,
  columns: {
    id: textIfAny('platform'),
    name: textIfAny('displayName'),
    username: textIfAny('username'),
    kind: textIfAny('type'),
    refresh_days_remaining: column('integer', ({ refreshDaysRemaining: days }) =>
      Number.isSafeInteger(days) ? (days as number) : null,
    ),
    payload: rest(new Set(['platform', 'refreshDaysRemaining', 'userImage'])),
  },
});

export const userStream = ayrshareStream({
  name: 'user',
  tables: [accounts],
  async *read(run, ayrshare) {
    const changesTo = run.context.now().toISOString();
    if (!isDayDue(run)) {
      run.context.keepWarnings();
      return yield saved(run, { changesTo });
    }
    yield await readUser(run, ayrshare, changesTo);
  },
});

async function readUser(run: Run, ayrshare: Ayrshare, changesTo: string): Promise<Page> {
  const { context } = run;
  const { body, sentAt } = await userOf(context, ayrshare);
  for (const warning of warningsOf(body, ayrshare)) context.warn(warning);
  const linked = linkedIn(body, { hasX: true });
  // An account that Ayrshare says nothing more of is linked all the same.
  const named = new Map<string, Fields>(linked.map((platform) => [platform, { platform }]));
  for (const account of accountsOf(body)) {
    const { platform } = account;
    if (isObject(account) && typeof platform === 'string' && named.has(platform))
      named.set(platform, account);
  }
  const results = [...named].map(([id, account]) =>
    resultOf(account, () => ({
      id,
      changedAt: sentAt,
      rows: { [accounts.name]: [accounts.rowOf(account)] },
    })),
  );
  const deletions = run.position.linked
    .filter((platform) => !linked.includes(platform))
    .map((id) => ({ id, deletedAt: sentAt }));
  return { ...saved(run, { linked, day: today(context), changesTo }), ...contentOf(results), deletions };
}
