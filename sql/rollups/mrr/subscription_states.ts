import { defineRollup } from '../define.ts';

export const subscriptionStates = defineRollup(import.meta.url, {
  name: 'subscription_states',
  reads: ['fact.states_of_subscription', 'fact.subscriptions'],
  writes: 'agg.subscription_states',
  grain: ['brand_id', 'retailer_id', 'connection_id', 'subscription_id', 'plan', 'valid_from'],
  measures: [
    'valid_until',
    'customer_id',
    'currency',
    'is_trialing',
    'is_paused',
    'is_metered',
    'monthly',
    'cause',
    'is_reconstructed',
    'time_zone',
  ],
  object: 'subscription_id',
  changesWith: ['subscriptions'],
  handsOn: 'query',
  explains: 'it is what a subscription was worth from one instant until another',
});
