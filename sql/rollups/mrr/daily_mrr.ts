import { defineRollup } from '../define.ts';

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
  carries: { states: 'agg.subscription_states', from: 'valid_from', until: 'valid_until' },
});
