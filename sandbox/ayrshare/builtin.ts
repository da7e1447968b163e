/**
 * Real posts of nine pages as the Facebook accounts of the retailers of `giftware`
 * (Dehouche 2018, CC BY 4.0, see `sandbox/data/README.md`). Followers are made up.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { RETAILERS, type Retailer } from '../builtin/countries.ts';
import type { Draft } from '../ndjson.ts';
import type { Account } from '../tables/declare.ts';
import { accountOf } from '../tables/load.ts';
import { type Settings, shape } from './settings.ts';

const FILE = new URL('../data/social-metrics/facebook-live-sellers-thailand.csv.gz', import.meta.url);
/**
 * The last real post, of 2018-06-13, becomes one of 2011-11-16; the last order is of 2011-12-09. So no post is so young
 * that its numbers are asked for one by one, which at the pace of a profile would take minutes. Weekdays stay.
 */
const EARLIER_MS = 343 * 7 * 86_400_000;

export const SOCIAL_API_KEY = 'sandbox-giftware';
export const socialProfile = (retailer: Retailer) => `giftware-${retailer}`;

let kept: ReadonlyMap<Retailer, readonly Draft[]> | undefined;

/** Their rows are read when they are first asked for. */
export function giftwareProfiles(): Account<Settings>[] {
  return RETAILERS.map((retailer) => {
    const name = socialProfile(retailer);
    const settings = shape.parse({ [name]: { apiKey: SOCIAL_API_KEY } })[name] as Settings;
    const posts = () => {
      kept ??= readPosts();
      return kept.get(retailer) ?? [];
    };
    const rows = (file: string) =>
      file === 'posts' ? posts() : file === 'accounts' ? [pageOf(retailer, posts().length)] : [];
    return { ...accountOf(name, settings, new Map()), rows };
  });
}

function pageOf(retailer: Retailer, posts: number): Draft {
  const displayName = `Giftware ${retailer}`;
  return {
    platform: 'facebook',
    displayName,
    analytics: { name: displayName, followersCount: 500 + 3 * posts },
  };
}

function readPosts(): ReadonlyMap<Retailer, readonly Draft[]> {
  const [, ...lines] = gunzipSync(readFileSync(FILE)).toString('utf8').trimEnd().split('\n');
  const rows = lines.map((line) => line.split(','));
  const pages = [...new Set(rows.map(([id = '']) => pageIn(id)))].sort();
  const posts = new Map<Retailer, Draft[]>(RETAILERS.map((retailer) => [retailer, []]));
  for (const row of rows) {
    const retailer = RETAILERS[pages.indexOf(pageIn(row[0] ?? '')) % RETAILERS.length];
    if (retailer) posts.get(retailer)?.push(postOf(row));
  }
  return posts;
}

const pageIn = (id: string) => id.split('_')[0] ?? '';

function postOf([id = '', type, published = '', ...counts]: readonly string[]): Draft {
  const [total = 0, comments = 0, shares = 0, like, love, wow, haha, sorry, anger] = counts.map(Number);
  const numbers = { likeCount: total, commentsCount: comments, sharesCount: shares };
  return {
    ...{ platform: 'facebook', id, created: instantOf(published), statusType: type, post: `${type} ${id}` },
    ...{ postUrl: `https://www.facebook.com/${id}`, ...numbers },
    analytics: { ...numbers, reactions: { like, love, wow, haha, sorry, anger, total } },
  };
}

/** `M/D/YYYY H:MM` without a zone, taken as UTC. */
function instantOf(published: string): string {
  const [month = 1, day = 1, year = 2000, hour = 0, minute = 0] = published.split(/[/ :]/).map(Number);
  return new Date(Date.UTC(year, month - 1, day, hour, minute) - EARLIER_MS).toISOString();
}
