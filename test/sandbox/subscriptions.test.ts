/** Subscriptions at the sandbox, made by the providers' own clients. */
import sendgrid from '@sendgrid/client';
import { createAdminApiClient } from '@shopify/admin-api-client';
import { expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../sandbox/server.ts';
import { assertValid, client } from '../support/providers/stripe.ts';
import { scenarioOf } from '../support/webhooks/world.ts';

async function served(changed: object = {}) {
  await using opening = new AsyncDisposableStack();
  const data = opening.use(await scenarioOf({}, changed));
  const sandbox: Sandbox = opening.use(await startSandbox({ data: data.dir }));
  const opened = opening.move();
  return { ...sandbox, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

const url = 'https://hooks.example.com/in';

test('Stripe’s own client: the secret is told once, and an endpoint is changed and deleted', async () => {
  await using sandbox = await served();
  const { webhookEndpoints } = client(sandbox);
  const made = await webhookEndpoints.create({
    ...{ url, enabled_events: ['charge.refunded'], api_version: '2026-10-28.endive', metadata: { a: 'b' } },
  });
  expect(made.secret).toMatch(/^whsec_\w{20,}/);
  await assertValid('webhook_endpoint', made);
  const again = { idempotencyKey: 'once' };
  const [one, other] = [
    await webhookEndpoints.create({ url, enabled_events: ['*'] }, again),
    await webhookEndpoints.create({ url, enabled_events: ['*'] }, again),
  ];
  expect(other).toMatchObject({ id: one.id, secret: one.secret });
  const { data } = await webhookEndpoints.list();
  expect(data.map(({ id, secret }) => ({ id, secret }))).toEqual([{ id: one.id }, { id: made.id }]);
  expect(await webhookEndpoints.update(made.id, { disabled: true })).toMatchObject({ status: 'disabled' });
  expect(await webhookEndpoints.del(made.id)).toMatchObject({ deleted: true });
  await expect(webhookEndpoints.retrieve(made.id)).rejects.toMatchObject({ statusCode: 404 });
  await expect(
    webhookEndpoints.create({ url: 'http://hooks.example.com', enabled_events: ['*'] }),
  ).rejects.toMatchObject({ statusCode: 400, param: 'url' });
});

test('Shopify’s own client: a topic and an address once, within the scopes', async () => {
  await using sandbox = await served({ shops: { acme: { token: 'shpat_acme', scopes: ['read_orders'] } } });
  const shopify = createAdminApiClient({
    ...{ storeDomain: 'acme.myshopify.com', apiVersion: '2026-10', accessToken: 'shpat_acme' },
    customFetchApi: (address, init) =>
      fetch(String(address).replace('https://acme.myshopify.com', `${sandbox.url}/shopify/acme`), init),
  });
  const create = async (topic: string, uri = url) => {
    const { data, errors } = await shopify.request(
      `mutation ($topic: WebhookSubscriptionTopic!, $uri: String!) {
        webhookSubscriptionCreate(topic: $topic, webhookSubscription: { uri: $uri }) {
          webhookSubscription { id topic uri apiVersion { handle } } userErrors { field message } } }`,
      { variables: { topic, uri } },
    );
    expect(errors).toBeUndefined();
    return data?.webhookSubscriptionCreate;
  };
  const { webhookSubscription: made } = await create('ORDERS_UPDATED');
  expect(made).toMatchObject({ topic: 'ORDERS_UPDATED', uri: url, apiVersion: { handle: '2026-10' } });
  const message = async (...given: Parameters<typeof create>) =>
    (await create(...given)).userErrors[0].message;
  expect(await message('ORDERS_UPDATED')).toContain('already been taken');
  expect(await message('CUSTOMERS_UPDATE')).toContain('read_customers');
  expect(await message('ORDERS_CREATE', 'ftp://x')).toContain('invalid');
  const listed = await shopify.request('{ webhookSubscriptions(first: 5) { nodes { id format } } }');
  expect(listed.data.webhookSubscriptions.nodes).toEqual([{ id: made.id, format: 'JSON' }]);
  const gone = await shopify.request(
    `mutation ($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { message } } }`,
    { variables: { id: made.id } },
  );
  expect(gone.data.webhookSubscriptionDelete).toEqual({
    deletedWebhookSubscriptionId: made.id,
    userErrors: [],
  });
});

// Its types know only the instance that it exports.
const { Client } = sendgrid as unknown as { Client: new () => typeof sendgrid };

test('SendGrid’s own client: one slot, and a key once it signs', async () => {
  await using sandbox = await served();
  const own = new Client();
  own.setApiKey('SG.sandbox_acme.key');
  own.setDefaultRequest('baseUrl', `${sandbox.url}/sendgrid/`);
  const path = '/v3/user/webhooks/event/settings';
  const ask = async (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', to: string, body?: object) => {
    const [answer] = await own.request({ method, url: `${path}${to}`, ...(body && { body }) });
    // biome-ignore lint/suspicious/noExplicitAny: answers of any path
    return { status: answer.statusCode, body: answer.body as any };
  };
  expect((await ask('GET', '/all')).body).toEqual({ max_allowed: 1, webhooks: [{}] });
  const made = await ask('POST', '', { enabled: true, url, open: true, friendly_name: 'ours' });
  expect(made).toMatchObject({ status: 201, body: { enabled: true, url, open: true, click: false } });
  expect(made.body.public_key).toBeUndefined();
  const { id } = made.body;
  const signed = await ask('PATCH', `/signed/${id}`, { enabled: true });
  expect(signed.body.public_key).toMatch(/^MFkw/);
  expect((await ask('GET', `/${id}`)).body.public_key).toBe(signed.body.public_key);
  await expect(ask('POST', '', { url: `${url}/2` })).rejects.toMatchObject({
    response: { body: { errors: [{ message: expect.stringContaining('maximum number of webhooks') }] } },
  });
  expect(await ask('PATCH', `/${id}`, { enabled: false })).toMatchObject({ body: { enabled: false } });
  expect(await ask('DELETE', `/${id}`)).toMatchObject({ status: 204 });
  await expect(ask('GET', `/${id}`)).rejects.toMatchObject({ code: 404 });
});
