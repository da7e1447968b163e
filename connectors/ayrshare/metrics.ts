/**
 * Which field of which network is which number. The names are those of 2026-11; what a network has renamed or dropped
 * stands in `retirements.ts`, is never read, and so is null, not 0. A change here raises `MAPPING_VERSION`.
 */
import { type Fields, InvalidField, isObject } from '../kit/fields.ts';

export const MAPPING_VERSION = 1;

/** The first one that is there; `a + b` is a sum, which needs both. */
type Sources = string | readonly string[];
type Metrics = Readonly<Record<string, Sources>>;
export type MetricMap = Readonly<Record<string, Metrics>>;

/** Lifetime numbers of a post, in `POST /analytics/post`, and flat in the list of posts. */
export const postMetrics: MetricMap = {
  linkedin: {
    impressions: 'impressionCount',
    reach: 'uniqueImpressionsCount',
    likes: 'likeCount',
    comments: 'commentCount',
    shares: 'shareCount',
    clicks: 'clickCount',
    video_views: 'videoViews',
  },
  // Views, not people: reach has no successor.
  facebook: {
    impressions: 'mediaView',
    likes: ['reactions.total', 'likeCount'],
    comments: 'commentsCount',
    shares: 'sharesCount',
    video_views: ['totalVideoViews', 'videoViews', 'blueReelsPlayCount'],
  },
  instagram: {
    impressions: 'viewsCount',
    reach: 'reachCount',
    likes: 'likeCount',
    comments: 'commentsCount',
    shares: 'sharesCount',
    saves: 'savedCount',
    video_views: ['playsCount', 'igReelsAggregatedAllPlaysCount'],
    profile_visits: 'profileVisitsCount',
  },
  tiktok: {
    reach: 'reach',
    likes: 'likeCount',
    comments: 'commentsCount',
    shares: 'shareCount',
    video_views: 'videoViews',
  },
  youtube: { likes: 'likes', comments: 'comments', shares: 'shares', video_views: 'views' },
  twitter: {
    impressions: 'publicMetrics.impressionCount',
    likes: 'publicMetrics.likeCount',
    comments: 'publicMetrics.replyCount',
    shares: 'publicMetrics.retweetCount + publicMetrics.quoteCount',
    saves: 'publicMetrics.bookmarkCount',
    video_views: 'nonPublicMetrics.video.playback0Count',
    profile_visits: 'nonPublicMetrics.userProfileClicks',
  },
  pinterest: {
    impressions: 'impression',
    likes: 'totalReactions',
    comments: 'totalComments',
    saves: 'save',
    clicks: ['outboundClick', 'pinClick'],
    video_views: 'videoMrcView',
    profile_visits: 'profileVisit',
  },
  threads: { impressions: 'views', likes: 'likes', comments: 'replies', shares: 'reposts + quotes' },
  bluesky: { likes: 'likeCount', comments: 'replyCount', shares: 'repostCount + quoteCount' },
};

/** Numbers of an account, in `POST /analytics/social`. */
export const accountMetrics: MetricMap = {
  // Paid followers are in the others already.
  linkedin: {
    followers: [
      'followers.totalFollowerCount',
      'firstDegreeSize',
      'followersCount',
      'followers.organicFollowerCount',
    ],
    impressions: 'impressionCount',
    reach: 'uniqueImpressionsCount',
    likes: 'likeCount',
    comments: 'commentCount',
    shares: 'shareCount',
    clicks: 'clickCount',
    profile_visits: 'views.allPageViews',
  },
  facebook: {
    followers: ['followersCount', 'fanCount'],
    impressions: 'pageMediaView',
    likes: 'reactions.total',
    video_views: 'pageVideoViews',
    engagements: 'pagePostEngagements',
  },
  instagram: {
    followers: 'followersCount',
    following: 'followsCount',
    impressions: 'viewsCount',
    reach: 'reachCount',
    likes: 'likeCount',
    comments: 'commentsCount',
  },
  gmb: {
    impressions:
      'businessImpressionsDesktopMaps + businessImpressionsDesktopSearch + businessImpressionsMobileMaps + businessImpressionsMobileSearch',
    clicks: 'websiteClicks + callClicks + businessDirectionRequests',
    website_clicks: 'websiteClicks',
    call_clicks: 'callClicks',
    direction_requests: 'businessDirectionRequests',
  },
  tiktok: {
    followers: 'followerCount',
    following: 'followingCount',
    likes: 'likeCountTotal',
    comments: 'commentCountTotal',
    shares: 'shareCountTotal',
    clicks: 'bioLinkClicks',
    video_views: 'viewCountTotal',
    profile_visits: 'profileViews',
  },
  // Views since 2026-08-27 count each start of a video, under the names of before (`retirements.ts`).
  youtube: {
    followers: 'subscriberCount',
    likes: 'likes',
    comments: 'comments',
    shares: 'shares',
    video_views: 'viewCount',
  },
  twitter: {
    followers: 'followersCount',
    following: ['followingCount', 'friendsCount'],
    likes: 'likeCount',
  },
  pinterest: { impressions: 'impression', clicks: ['outboundClick', 'pinClick'], saves: 'save' },
  threads: {
    followers: 'followersCount',
    impressions: 'views',
    likes: 'likes',
    comments: 'replies',
    shares: 'reposts + quotes',
  },
  bluesky: { followers: 'followersCount', following: 'followsCount' },
};

export type Metric = { metric: string; value: number; field: string };

/** The numbers that are there; throws `InvalidField` for one that is none. */
export function readMetrics(map: MetricMap, platform: string, numbers: Fields): Metric[] {
  return Object.entries(map[platform] ?? {}).flatMap(([metric, sources]) => {
    for (const field of listOf(sources)) {
      const value = numberOf(numbers, field);
      if (value !== undefined) return { metric, value, field };
    }
    return [];
  });
}

/** The number of a field, or of a sum of fields. */
export function numberOf(numbers: Fields, field: string): number | undefined {
  const parts = field.split(' + ').map((path) => numberAt(numbers, path));
  return parts.every((part) => part !== undefined) ? parts.reduce((sum, part) => sum + part, 0) : undefined;
}

/** Every field that is read, as `<network>.<field>`. */
export function fieldsOf(map: MetricMap): ReadonlySet<string> {
  return new Set(
    Object.entries(map).flatMap(([platform, metrics]) =>
      Object.values(metrics)
        .flatMap(listOf)
        .flatMap((field) => field.split(' + '))
        .map((field) => `${platform}.${field}`),
    ),
  );
}

function listOf(sources: Sources): readonly string[] {
  return typeof sources === 'string' ? [sources] : sources;
}

const WHOLE = /^\d{1,15}$/;

/** Networks also write numbers as text. */
function numberAt(numbers: Fields, path: string): number | undefined {
  let value: unknown = numbers;
  for (const step of path.split('.')) value = isObject(value) ? value[step] : undefined;
  if (value === undefined || value === null) return undefined;
  const number = typeof value === 'string' && WHOLE.test(value) ? Number(value) : value;
  if (Number.isSafeInteger(number) && (number as number) >= 0) return number as number;
  throw new InvalidField(path, 'no whole number');
}
