/** Ayrshare: the social accounts of a profile. A connection is one profile. https://www.ayrshare.com/docs/apis/overview */
import { defineProvider } from '../kit/provider.ts';
import { checkAyrshare, getUser } from './api/check.ts';
import { openAyrshare } from './api/client.ts';
import { keyForm } from './key.ts';
import { retirements } from './retirements.ts';
import { accountMetricsStream } from './streams/account_metrics.ts';
import { postMetricsStream } from './streams/post_metrics.ts';
import { postsStream } from './streams/posts.ts';
import { profilesStream } from './streams/profiles.ts';
import { sentPostsStream } from './streams/sent_posts.ts';
import { userStream } from './streams/user.ts';
import { webhook } from './webhook.ts';
import { webhooks } from './webhooks.ts';

const profile = {
  written: 'REF_ID',
  read: (typed: string) => (/^[A-Za-z0-9_-]{1,100}$/.test(typed) ? typed : undefined),
  found:
    'It is the refId of the profile, which Ayrshare gives when the profile is made, and in the list of profiles',
};

export const ayrshare = defineProvider({
  name: 'ayrshare',
  title: 'Ayrshare',
  level: 'brand',
  hosts: /^api\.ayrshare\.com$/,
  baseUrl: () => 'https://api.ayrshare.com/api',
  account: profile,
  key: keyForm,
  part: profile,
  raisesLimits: false,
  isReconcilable: false,
  streams: [
    userStream,
    profilesStream,
    sentPostsStream,
    postsStream,
    postMetricsStream,
    accountMetricsStream,
  ],
  retirements,
  webhook,
  webhooks,
  check: checkAyrshare,
  assertAccount: (context) => getUser(openAyrshare(context)),
});
