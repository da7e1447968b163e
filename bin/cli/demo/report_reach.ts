/** Formats for a person who was reached in the demo. */
import { grouped } from '../ui/format.ts';
import { bold, green, red } from '../ui/output.ts';
import { KNOWN_POSTS, type Reached, wrongReach } from './reach.ts';
import { percent, table } from './table.ts';

const COLUMNS: Record<string, (row: Reached) => string> = {
  delivered: ({ delivered }) => grouped(delivered),
  opened: ({ open_rate }) => percent(open_rate),
  clicked: ({ click_rate }) => percent(click_rate),
  posts: ({ posts }) => grouped(posts),
  likes: ({ likes }) => grouped(likes),
  comments: ({ comments }) => grouped(comments),
  shares: ({ shares }) => grouped(shares),
  engagement: ({ engagement }) => grouped(engagement),
};

export const SOCIAL_ATTRIBUTION =
  'Posts: Dehouche, N. (2018). Facebook Live Sellers in Thailand. UCI. https://doi.org/10.24432/C5R60S. CC BY 4.0.';

export function reachLines(reached: readonly Reached[]): string[] {
  const rows = reached.map((row) => [row.retailer, ...Object.values(COLUMNS).map((cell) => cell(row))]);
  const posts = `each of ${grouped(KNOWN_POSTS)} real posts counted once (7,050 lines)`;
  return [
    '',
    bold('Reach: letters (made up) and posts on Facebook (real)'),
    ...table([['', ...Object.keys(COLUMNS)], ...rows]),
    `  ${wrongReach(reached).length === 0 ? green(posts) : red('posts or letters are missing')}`,
  ];
}
