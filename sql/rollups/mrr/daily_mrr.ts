import { one, same } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

const MOVEMENTS = {
  new_mrr: "case class when 'new' then change end",
  expansion_mrr: "case class when 'expansion' then change end",
  reactivated_mrr: "case class when 'reactivated' then change end",
  contraction_mrr: "case class when 'contraction' then -change end",
  churned_mrr: "case class when 'churned' then -change end",
};
const forMovements = (sql: string) =>
  Object.fromEntries(Object.keys(MOVEMENTS).map((column) => [column, sql]));

export const dailyMrr = defineRollup(import.meta.url, {
  name: 'daily_mrr',
  reads: ['agg.subscription_states'],
  writes: 'agg.daily_mrr',
  grain: ['brand_id', 'retailer_id', 'day', 'currency', 'plan'],
  measures: [
    'is_reconstructed',
    'is_metered',
    'active_subscriptions',
    'trialing',
    'paused',
    'mrr',
    'mrr_cause',
    'new_mrr',
    'expansion_mrr',
    'reactivated_mrr',
    'contraction_mrr',
    'churned_mrr',
    'churned_subscriptions',
  ],
  changesWith: ['subscription_states', 'calendar'],
  explains: {
    parts: [
      {
        is: 'subscription',
        from: 'standing',
        id: 'subscription_id',
        at: 'valid_from',
        object: { kind: 'subscriptions' },
        tells: same('customer_id', 'cause'),
        adds: {
          active_subscriptions: one('not is_trialing'),
          trialing: one('is_trialing'),
          paused: one('is_paused and not is_trialing'),
          mrr: 'monthly',
        },
        // What nobody knows of a subscription nobody knows of its plan; nor what moved it.
        unknown: {
          paused: 'is_reconstructed',
          mrr: 'cause is not null',
          ...forMovements('cause is not null'),
        },
      },
      {
        is: 'movement of a customer',
        from: 'classified',
        id: 'customer_id',
        tells: same('class', 'cause'),
        adds: { ...MOVEMENTS, churned_subscriptions: 'nullif(churned_subscriptions, 0)' },
        unknown: forMovements('cause is not null'),
      },
    ],
    notSums: {
      is_reconstructed: 'whether anything of it is from before the first reading',
      is_metered: 'whether a part of it is billed by use',
      mrr_cause: 'why mrr is not known',
    },
    settles: { mrr: 'fact.round_to_currency(round(total, 12), currency)' },
    // Levels are rounded as they stand, and movements so that they lie just between them: each is off by less than this.
    within: forMovements('3 * power(10::numeric, -fact.currency_exponent(currency))'),
  },
  carries: { states: 'agg.subscription_states', from: 'valid_from', until: 'valid_until' },
});
