/**
 * What networks have taken away from their numbers, or given another meaning, by day, as the checks and the change notes
 * of Ayrshare tell.
 * https://www.ayrshare.com/docs/whatsnew/upcoming-api-changes
 */
import type { Retirement } from '../kit/provider.ts';

export const POST = 'ayrshare.post_metrics';
export const ACCOUNT = 'ayrshare.account_metrics';

const CHECKS = 'https://github.com/ayrshare/hurl-scripts';
const NOTES = 'https://www.ayrshare.com/docs/whatsnew/upcoming-api-changes';
const GOOGLE = 'https://developers.google.com/youtube/analytics/revision_history';
const META = 'https://developers.facebook.com/docs/graph-api/changelog';

const WITHOUT_OWN_KEY = 'every field that is asked for without own credentials';

export const retirements: readonly Retirement[] = [
  ...gone('2024-03-19', ACCOUNT, 'facebook', CHECKS, [
    ...['pageConsumptions', 'pageEngagedUsers', 'pageFansByLikeSource', 'pageFansByLikeSourceUnique'],
  ]),
  ...gone('2024-08-14', ACCOUNT, 'linkedin', CHECKS, ['commentMentionsCount', 'shareMentionsCount']),
  ...gone('2024-09-25', ACCOUNT, 'facebook', CHECKS, ['pageConsumptionsByConsumptionType']),
  ...gone('2024-09-25', POST, 'facebook', CHECKS, [
    ...['clicksUnique', 'engagedUsers', 'negativeFeedback', 'negativeFeedbackUnique'],
  ]),
  ...gone('2025-01-07', ACCOUNT, 'instagram', CHECKS, [
    ...['profileViewsCount', 'websiteClicksCount', 'emailContactsCount', 'phoneCallClicksCount'],
    'textMessageClicksCount',
  ]),
  ...gone('2025-03-07', POST, 'tiktok', CHECKS, ['likes'], 'likeCount'),
  ...gone('2025-03-07', POST, 'tiktok', CHECKS, ['comments'], 'commentsCount'),
  ...gone('2025-03-07', POST, 'tiktok', CHECKS, ['shares'], 'shareCount'),
  ...gone('2025-03-07', POST, 'tiktok', CHECKS, ['caption', 'shareUrl', 'videoDuration']),
  ...gone('2025-03-07', ACCOUNT, 'tiktok', CHECKS, ['durationAverage']),
  ...gone('2025-04-21', POST, 'instagram', CHECKS, ['impressionsCount'], 'viewsCount'),
  ...gone('2025-04-21', ACCOUNT, 'instagram', CHECKS, ['impressionsCount'], 'viewsCount'),
  ...gone('2025-07-07', ACCOUNT, 'instagram', CHECKS, ['igId']),
  ...gone(
    '2025-11-15',
    ACCOUNT,
    'facebook',
    META,
    ['pageImpressions', 'pageImpressionsPaid'],
    'pageMediaView',
  ),
  ...gone('2025-11-15', ACCOUNT, 'facebook', META, ['pageFanRemoves']),
  ...gone('2025-12-12', ACCOUNT, 'facebook', CHECKS, ['pageVideoViewTime']),
  ...[POST, ACCOUNT].flatMap((stream) =>
    gone(
      '2026-03-31',
      stream,
      'twitter',
      NOTES,
      [WITHOUT_OWN_KEY],
      'credentials of your own for X, beside the API key',
    ),
  ),
  ...gone(
    '2026-06-15',
    POST,
    'facebook',
    NOTES,
    ['impressionsUnique'],
    'mediaView for views; reach has no successor',
  ),
  ...gone('2026-06-15', POST, 'facebook', NOTES, ['impressionsFanUnique', 'impressionsOrganicUnique']),
  ...gone('2026-06-15', POST, 'facebook', NOTES, ['impressionsPaidUnique'], 'mediaViewIsFromAds'),
  ...gone('2026-06-15', POST, 'facebook', NOTES, [
    ...['videoViewsUnique', 'totalVideoViews*Unique', 'totalVideoImpressions*'],
  ]),
  ...gone(
    '2026-06-15',
    ACCOUNT,
    'facebook',
    NOTES,
    [
      ...['pagePostsImpressions', 'pagePostsImpressionsPaid'],
      ...['pagePostsImpressionsViral*', 'pagePostsImpressionsNonviral*'],
    ],
    'pageMediaView',
  ),
  ...gone('2026-06-15', ACCOUNT, 'facebook', NOTES, [
    ...['pagePostsImpressionsUnique', 'pagePostsImpressionsPaidUnique', 'pagePostsImpressionsOrganicUnique'],
    ...['pagePostsServedImpressionsOrganicUnique', 'pageVideoViewsUnique'],
  ]),
  ...[POST, ACCOUNT].flatMap((stream) =>
    gone('2026-08-27', stream, 'youtube', GOOGLE, ['views', 'viewCount']).map((one) => ({
      ...{ ...one, isRedefined: true as const, instead: 'its days before and after it are two series' },
    })),
  ),
];

function gone(
  on: string,
  stream: string,
  platform: string,
  source: string,
  names: readonly string[],
  instead?: string,
): Retirement[] {
  return names.map((name) => ({
    ...{ on, what: `${name} of ${platform}`, field: { stream, name: `${platform}.${name}` }, source },
    ...(instead !== undefined && { instead }),
  }));
}

const redefined = retirements.filter(({ isRedefined }) => isRedefined);

/** How often fields of a network, or a sum of them, had been given another meaning by an instant. */
export function redefinitionsOf(stream: string, platform: string, fields: string, at: Date): number {
  const day = at.toISOString().slice(0, 10);
  const names = new Set(fields.split(' + ').map((name) => `${platform}.${name}`));
  return redefined.filter(({ on, field }) => field?.stream === stream && names.has(field.name) && on <= day)
    .length;
}
