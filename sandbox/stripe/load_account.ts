/** An account of a scenario: its NDJSON files, checked, completed, and put in order of time. */
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type Place, readNdjson } from '../ndjson.ts';
import { ScenarioError } from '../scenario_error.ts';
import { complete } from './complete/complete.ts';
import { type Draft, Drafts, FILES } from './drafts.ts';
import { deriveEvents } from './history/derive_events.ts';
import { INDEXED, type Version, versionRow } from './history/versions.ts';
import { KINDS } from './kinds.ts';
import { balanceOf } from './ledger_balance.ts';
import type { Book, Source, StripeObject } from './objects.ts';
import { rowSource } from './rows.ts';

const EXTENSION = '.ndjson';

export type AccountFiles = {
  root: string;
  folder: string;
  /** The mode of objects that do not say theirs. */
  livemode: boolean;
  currency: string;
  warnings: string[];
};

type Books = { live: Book; test: Book };

/**
 * What was read last: a scenario that is taken to another instant has the same files, and a book serves any instant.
 */
const kept = new Map<string, { stamp: string; books: Books; warnings: readonly string[] }>();
const KEPT_MAX = 4;

/** The objects of an account by mode. */
export async function loadBooks(files: AccountFiles): Promise<Books> {
  const stamp = await stampOf(files);
  let known = kept.get(files.folder);
  if (known?.stamp !== stamp) {
    const warnings: string[] = [];
    known = { stamp, books: await readBooks({ ...files, warnings }), warnings };
    kept.delete(files.folder);
    kept.set(files.folder, known);
    for (const folder of [...kept.keys()].slice(0, -KEPT_MAX)) kept.delete(folder);
  }
  files.warnings.push(...known.warnings);
  return known.books;
}

async function stampOf({ folder, livemode, currency }: AccountFiles): Promise<string> {
  const stamps: string[] = [String(livemode), currency];
  for (const file of folder ? (await readdir(folder)).sort() : []) {
    const { size, mtimeNs } = await stat(join(folder, file), { bigint: true });
    stamps.push(file, String(size), String(mtimeNs));
  }
  return stamps.join('/');
}

async function readBooks(files: AccountFiles): Promise<Books> {
  const live = new Drafts();
  const test = new Drafts();
  for (const file of files.folder ? (await readdir(files.folder)).sort() : []) {
    const path = join(files.folder, file);
    const kind = file.slice(0, -EXTENSION.length);
    if (!file.endsWith(EXTENSION) || !FILES.has(kind)) {
      const known = [...FILES].map((name) => `${name}${EXTENSION}`).join(', ');
      throw new ScenarioError(
        relative(files.root, path),
        `is not a file of a Stripe account; known are ${known}`,
      );
    }
    for await (const { value, place } of readNdjson(files.root, path)) {
      const livemode = value.livemode ?? value._livemode ?? files.livemode;
      (livemode === true ? live : test).add(kind, value, place);
    }
  }
  return { live: buildBook(live, true, files), test: buildBook(test, false, files) };
}

export function buildBook(
  drafts: Drafts,
  livemode: boolean,
  { currency, warnings }: Pick<AccountFiles, 'currency' | 'warnings'>,
): Book {
  const doubts = new Set<string>();
  const doubt = (place: Place, problem: string) => {
    const what = `${place.file} ${place.path.replaceAll(/\d+/g, '#')} ${problem}`;
    if (!doubts.has(what)) warnings.push(`${place}: ${problem}.`);
    doubts.add(what);
  };
  const context = { drafts, livemode, currency, doubt };
  const histories = new Map<string, readonly Version[][]>();
  const sources = new Map<string, Source>();
  for (const kind of FILES) {
    const objectName = KINDS.get(kind)?.object ?? 'discount';
    const drafted = [...drafts.versions(kind)];
    const done = drafted.map((versions) =>
      datedVersions(versions, ({ object, place }) => complete(kind, objectName, { object, place, context })),
    );
    histories.set(kind, done);
    const rows = done.map((versions, index) => {
      const last = drafted[index]?.at(-1);
      return versionRow(last?.id ?? '', versions, payoutOf(last?.object));
    });
    sources.set(kind, rowSource(rows, INDEXED));
  }
  if (!drafts.has('events')) sources.set('events', deriveEvents(histories, livemode));
  const source = (kind: string): Source => sources.get(kind) ?? rowSource([]);
  return { livemode, source, balance: (now) => balanceOf(source('balance_transactions'), now) };
}

function payoutOf(object: StripeObject | undefined): string | undefined {
  return typeof object?._payout === 'string' ? object._payout : undefined;
}

/** Without `_at` a first state holds since the object was created, and a later one since the one before. */
function datedVersions(drafts: readonly Draft[], finish: (draft: Draft) => StripeObject): Version[] {
  const versions: Version[] = [];
  for (const draft of drafts) {
    const object = finish(draft);
    const at = draft.object._at;
    if (at !== undefined && !Number.isSafeInteger(at)) draft.place.below('_at').fail('is not a Unix second');
    const since = versions.at(-1)?.at ?? Number(object.created ?? 0);
    versions.push({ at: typeof at === 'number' ? at : since, object });
  }
  return versions.sort((left, right) => left.at - right.at);
}
