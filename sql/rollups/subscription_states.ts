import { defineRollup } from './rollup.ts';

export const subscriptionStates = defineRollup(import.meta.url, {
  name: 'subscription_states',
  reads: ['fact.states_of_subscription', 'raw.stripe_subscriptions'],
  writes: 'agg.subscription_states',
  grain: ['brand_id', 'retailer_id', 'connection_id', 'subscription_id', 'plan', 'valid_from'],
  after: [],
  marksDays: true,
});
