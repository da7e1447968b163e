/** The subscriptions of this app to webhooks of a shop. */
import { PAGE_INFO, type Query } from './queries.ts';

/** Of this app and this shop; there is one at most for a topic and an address. */
export const webhookSubscriptions: Query = {
  name: 'WebhookSubscriptions',
  cost: 50,
  text: `query WebhookSubscriptions($after: String) {
    currentAppInstallation { accessScopes { handle } }
    webhookSubscriptions(first: 100, after: $after) { ${PAGE_INFO} nodes { id topic uri apiVersion { handle } } } }`,
};

const subscriptionChange = (name: string, mutation: string, types: string, given: string): Query => ({
  name,
  cost: 10,
  text: `mutation ${name}(${types}) { done: ${mutation}(${given}) {
    webhookSubscription { id } userErrors { field message } } }`,
});

export const webhookCreate = subscriptionChange(
  'WebhookCreate',
  'webhookSubscriptionCreate',
  '$topic: WebhookSubscriptionTopic!, $uri: String!',
  'topic: $topic, webhookSubscription: { uri: $uri, format: JSON }',
);

export const webhookUpdate = subscriptionChange(
  'WebhookUpdate',
  'webhookSubscriptionUpdate',
  '$id: ID!, $uri: String!',
  'id: $id, webhookSubscription: { uri: $uri }',
);

export const webhookDelete: Query = {
  name: 'WebhookDelete',
  cost: 10,
  text: `mutation WebhookDelete($id: ID!) { done: webhookSubscriptionDelete(id: $id) {
    deletedWebhookSubscriptionId userErrors { field message } } }`,
};
