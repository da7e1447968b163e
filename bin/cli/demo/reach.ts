/** Who was reached in the demo, by mail and on social networks, beside what was sold. */
import type { Db } from '#sql/db/pool.ts';

/** A retailer's year. Rates are those of the sums; null without deliveries. */
export type Reached = {
  retailer: string;
  delivered: number;
  open_rate: string | null;
  click_rate: string | null;
  posts: number;
  likes: number;
  comments: number;
  shares: number;
  engagement: number;
};

/** The data set has so many posts, 53 of them on several lines; of each counts its last line. */
export const KNOWN_POSTS = 6_997;

export async function readReach(db: Db, brandId: string): Promise<Reached[]> {
  return (await db.query<Reached>(REACH, [brandId])).rows;
}

/** What is wrong with it. */
export function wrongReach(reached: readonly Reached[]): string[] {
  const posts = reached.reduce((sum, row) => sum + row.posts, 0);
  const delivered = reached.reduce((sum, row) => sum + row.delivered, 0);
  return [
    ...(posts === KNOWN_POSTS ? [] : [`posts is ${posts} and should be ${KNOWN_POSTS}`]),
    ...(delivered > 0 ? [] : ['no letter was delivered']),
  ];
}

// Unique opens and clicks are those of a day; a letter that is opened on two days counts on both.
const REACH = `
  with mail as (
    select retailer, sum(delivered) as delivered, sum(unique_opens) as opened, sum(unique_clicks) as clicked
    from bi.daily_email where brand_id = $1 and retailer is not null group by 1
  ), social as (
    select retailer, sum(posts) as posts, sum(likes) as likes, sum(comments) as comments, sum(shares) as shares,
           sum(engagement) as engagement
    from bi.daily_social where brand_id = $1 and retailer is not null group by 1
  )
  select retailer, coalesce(delivered, 0)::int as delivered, round(opened / nullif(delivered, 0), 4)::text as open_rate,
         round(clicked / nullif(delivered, 0), 4)::text as click_rate, coalesce(posts, 0)::int as posts,
         coalesce(likes, 0)::int as likes, coalesce(comments, 0)::int as comments, coalesce(shares, 0)::int as shares,
         coalesce(engagement, 0)::int as engagement
  from mail full join social using (retailer)
  order by delivered desc nulls last, retailer`;
