/** SendGrid: accounts of a whole brand, and their subusers. https://www.twilio.com/docs/sendgrid/api-reference */
import { defineProvider } from '../kit/provider.ts';
import { assertOwnAccount, checkSendGrid } from './api/check.ts';
import { openSendGrid } from './api/client.ts';
import { keyForm } from './key.ts';
import { mail } from './mail.ts';
import { retirements } from './retirements.ts';
import { eventsStream } from './streams/events.ts';
import { singleSendDaysStream, singleSendTotalsStream } from './streams/single_send_statistics.ts';
import { singleSendsStream } from './streams/single_sends.ts';
import { categoryStatisticsStream, statisticsStream, subuserStatisticsStream } from './streams/statistics.ts';
import { groupUnsubscribesStream, suppressionStreams } from './streams/suppressions.ts';
import { templatesStream, unsubscribeGroupsStream } from './streams/whole_lists.ts';
import { webhook } from './webhook.ts';
import { webhooks } from './webhooks.ts';

export const sendgrid = defineProvider({
  name: 'sendgrid',
  title: 'SendGrid',
  level: 'brand',
  hosts: /^api(\.eu)?\.sendgrid\.com$/,
  baseUrl: () => 'https://api.sendgrid.com',
  account: {
    written: 'USERNAME, of the account or of the subuser',
    read: (typed) => (/^[\w.@+-]{1,100}$/.test(typed) ? typed : undefined),
    found:
      'SendGrid shows it under Settings, Account Details; that of a subuser under Settings, Subuser Management',
  },
  key: keyForm,
  part: {
    written: 'category:NAME, subuser:NAME or list:ID',
    read: (typed) => (/^(category|subuser|list):\S/.test(typed) ? typed : undefined),
    found:
      'Categories stand under Stats, subusers under Settings, and the id of a list in its address under Marketing',
  },
  raisesLimits: false,
  isReconcilable: false,
  retirements,
  webhook,
  webhooks,
  mail,
  streams: [
    statisticsStream,
    ...suppressionStreams,
    groupUnsubscribesStream,
    unsubscribeGroupsStream,
    templatesStream,
    categoryStatisticsStream,
    subuserStatisticsStream,
    singleSendsStream,
    singleSendTotalsStream,
    singleSendDaysStream,
    eventsStream,
  ],
  check: checkSendGrid,
  assertAccount: (context) => assertOwnAccount(openSendGrid(context), context),
});
