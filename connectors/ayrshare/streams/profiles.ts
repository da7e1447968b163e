/**
 * The profile of the connection in the list of its account, once a month: one that is not in it was deleted. Only this
 * one is asked for, because the account may have those of other brands.
 * https://www.ayrshare.com/docs/apis/profiles/get-profiles
 */
import { recordTable, rest } from '../../kit/columns.ts';
import { failingChecks } from '../../kit/failing.ts';
import { isObject } from '../../kit/fields.ts';
import { contentOf, resultOf } from '../../kit/records.ts';
import type { Check, Page } from '../../kit/stream.ts';
import type { Ayrshare } from '../api/client.ts';
import { ayrshareStream, saved } from '../stream.ts';
import { isDaysAgo, type Run, today } from '../sync/sync_state.ts';
import { textIfAny } from './user.ts';

const EVERY_DAYS = 28;
const CHECK = 'profile';

const profiles = recordTable({
  name: 'raw.ayrshare_profiles',
  key: ['id'],
  observed: true,
  personal: null,
  columns: {
    id: textIfAny('refId'),
    title: textIfAny('title'),
    status: textIfAny('status'),
    payload: rest(new Set(['refId', 'title', 'status'])),
  },
});

export const profilesStream = ayrshareStream({
  name: 'profiles',
  tables: [profiles],
  async *read(run, ayrshare) {
    const { context, position } = run;
    const changesTo = context.now().toISOString();
    const failing = await failingChecks(context, 'ayrshare.profiles');
    const isDue =
      context.full || context.window || failing.has(CHECK) || isDaysAgo(context, position.day, EVERY_DAYS);
    // The primary profile is in no list.
    if (context.connection.auth === 'primary') return yield saved(run, { changesTo, day: today(context) });
    if (!isDue) return yield saved(run, { changesTo });
    yield await readProfile(run, ayrshare, changesTo);
  },
});

async function readProfile(run: Run, ayrshare: Ayrshare, changesTo: string): Promise<Page> {
  const { account } = run.context.connection;
  const { body, sentAt } = await ayrshare.get('/profiles', { refId: account });
  const list = Array.isArray(body.profiles) ? body.profiles.filter(isObject) : [];
  const own = list.filter(({ refId }) => refId === account);
  const results = own.map((profile) =>
    resultOf(profile, () => ({
      ...{ id: account, changedAt: sentAt },
      rows: { [profiles.name]: [profiles.rowOf(profile)] },
    })),
  );
  const page = { ...saved(run, { day: today(run.context), changesTo }), ...contentOf(results) };
  return { ...page, checks: [standing(account, own[0]?.status)] };
}

function standing(account: string, status: unknown): Check {
  const causes: Record<string, string> = {
    undefined: `Ayrshare has no profile ${account} any more`,
    suspended: `the profile ${account} is suspended`,
  };
  const cause = causes[String(status)];
  return { name: CHECK, ok: cause === undefined, ...(cause !== undefined && { cause }) };
}
