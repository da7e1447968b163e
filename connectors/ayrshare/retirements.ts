/**
 * What networks have taken away from their numbers, by day, as the checks and the change notes of Ayrshare tell.
 * https://www.ayrshare.com/docs/whatsnew/upcoming-api-changes
 */
import type { Retirement } from '../kit/provider.ts';

const POST = 'ayrshare.post_metrics';
const ACCOUNT = 'ayrshare.account_metrics';

const CHECKS = 'https://github.com/ayrshare/hurl-scripts';
const NOTES = 'https://www.ayrshare.com/docs/whatsnew/upcoming-api-changes';
const META = 'https://developers.facebook.com/docs/graph-api/changelog';

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
  ...gone('2026-06-15', POST, 'facebook', NOTES, ['videoViewsUnique', 'totalVideoViewsUnique']),
  ...gone('2026-06-15', POST, 'facebook', NOTES, ['totalVideoImpressions', 'totalVideoImpressionsUnique']),
  ...gone(
    '2026-06-15',
    ACCOUNT,
    'facebook',
    NOTES,
    [
      ...['pagePostsImpressions', 'pagePostsImpressionsPaid', 'pagePostsImpressionsOrganicUnique'],
      ...['pagePostsImpressionsViral', 'pagePostsImpressionsNonviral'],
    ],
    'pageMediaView',
  ),
  ...gone('2026-06-15', ACCOUNT, 'facebook', NOTES, [
    ...['pagePostsImpressionsUnique', 'pagePostsServedImpressionsOrganicUnique', 'pageVideoViewsUnique'],
  ]),
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
