import fc from 'fast-check';
import { expect, test } from 'vitest';
import '#connectors/providers.ts'; // brings what keys of each provider look like
import { coded, messageOf } from '#runtime/errors.ts';
import { QUOTE_CHARS_MAX, quote, scrub, scrubbed, TEXT_CHARS_MAX } from '#runtime/scrub.ts';
import { assertHolds } from '../support/property.ts';

const HEX = '0123456789abcdef'.repeat(2);
const KEYS = {
  'a token of a shop': `shpat_${HEX}`,
  'a secret of an app': `shpss_${HEX}`,
  'a Stripe key': 'sk_live_51Habcdefghijklmnop',
  'a restricted Stripe key': 'rk_test_51Habcdefghijklmnop',
  'a key of an organization': 'sk_org_live_51Habcdefghijklmnop',
  'a secret of webhooks': 'whsec_abcdefghijklmnop',
  'a client secret': 'pi_3NabcdefGH_secret_ijklmnop',
  'a SendGrid key': 'SG.abcdefghijklmnop.qrstuvwxyz0123456789',
  'an Ayrshare key': '7FB24BC-WD8M9WJ-PYB6PN2-TQXZ0GQ',
  'an Ayrshare profile key': 'AX1XGG-9jK3M5LS-GR5RX5G-LLCK8EA',
  'a web token': 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl',
};
const PERSONS = {
  'an e-mail': "anna.o'hara+shop@mail.example.co.uk",
  'an e-mail in other letters': 'müller@exämple.de',
  'an e-mail in an address': 'anna%40example.com',
  'a phone number with a country': '+44 7700 900123',
  'one with brackets': '+1 (555) 010-9999',
  'one within a country': '020 7946 0958',
  'one that is dialled abroad': '0049 30 9018200',
  'one in three groups': '(555) 010-9999',
};

test.each(Object.entries({ ...KEYS, ...PERSONS }))('%s is blanked wherever it stands', (_, secret) => {
  for (const text of [
    secret,
    `is ${secret}.`,
    `"${secret}"`,
    `id=${secret}&x`,
    `(${secret}, 5)`,
    `[${secret}]`,
  ]) {
    expect(scrub(text), text).not.toContain(secret);
    expect(scrub(text), text).toMatch(/\[(?:secret|e-mail|phone)\]/);
  }
});

test.each(Object.entries(KEYS))('%s is blanked behind what is encoded too', (_, secret) => {
  for (const text of [`token%3D${secret}`, `bad\\n${secret}`, `\\u0022${secret}\\u0022`])
    expect(scrub(text), text).not.toContain(secret);
});

test('what only looks a little like it stays', () => {
  const texts = [
    '+010000-01-01T00:00:00Z, 2026-11-29T01:49:24.123Z and 2026-11-29T01:49:24+01:00, 01.12.2026 10:20, 29/11/2026',
    '0190c2f0-1234-7890-8123-0123456789ab of 00000000-0000-0000-0000-000000000000',
    'gid://shopify/Order/12345678901, expected 1234567.89, found 0.00 of 100 at 127.0.0.1:5432/shop',
    'Key (brand_id, id)=(1234567890123, 5) already exists.',
    'in @sentry/node@11.11.0 at file:///srv/app.ts:12:5, a task of current-window-reading-changes',
    'Basic authentication is required, Bearer authorization header missing, token: expired, an EAN 0012345678905',
    'the token request, price_1Nabc, sub_1Nabc, 12 of 3456 rows, -1634505.1 s',
  ];
  expect(texts.map((text) => scrub(text))).toEqual(texts);
});

test('fields with telling names are blanked in objects, in JSON, in JSON within JSON and in parameters', () => {
  const told = { Email: 'anna', phone_number: 5550109999, 'X-Api-Key': 'plain', order: 5, token: null };
  const blank = {
    Email: '[personal]',
    phone_number: '[personal]',
    'X-Api-Key': '[secret]',
    order: 5,
    token: null,
  };
  expect(scrubbed(told)).toEqual(blank);
  expect(scrub(JSON.stringify(told))).toBe(
    '{"Email":"[personal]","phone_number":"[personal]","X-Api-Key":"[secret]","order":5,"token":null}',
  );
  expect(scrub(JSON.stringify(JSON.stringify({ password: 'two words', x: 1 })))).toBe(
    '"{\\"password\\":\\"[secret]\\",\\"x\\":1}"',
  );
  expect(scrub('client_secret=plain&x=1; phone: 555 0109999')).toBe(
    'client_secret=[secret]&x=1; phone: [phone]',
  );
  expect(scrub('secret_key=plain; X-Shopify-Access-Token: abc123def456; STRIPE_sk_live_51Habcdefgh')).toBe(
    'secret_key=[secret]; X-Shopify-Access-Token: [secret]; STRIPE_[secret]',
  );
});

test('nothing that acts on a terminal is left, and lines and columns are', () => {
  const text = 'a\u001b[31mred\u001b[0m\u001b]0;title\u0007 \u009b2J\u0000\r\n\tb \u202egnp.exe\u2028';
  expect(scrub(text)).toBe('ared]0;title 2J\n\tb gnp.exe');
  expect(quote(text)).toBe('ared]0;title 2J  b gnp.exe');
  expect(scrub('sk_\u0000live_51\u001b[0mHabcdefgh')).toBe('[secret]'); // no letter of another kind hides a key
  expect(scrub('half \ud800 a pair')).toBe('half \ufffd a pair');
});

test('a long text is cut and tells its length, and no half of a secret is left at the cut', async () => {
  expect(scrub('x'.repeat(TEXT_CHARS_MAX))).toHaveLength(TEXT_CHARS_MAX);
  const long = scrub('x'.repeat(1_000_000));
  expect(long).toHaveLength(TEXT_CHARS_MAX);
  expect(long).toMatch(/^x{1900,}… \(1000000 characters\)$/);
  const secrets = Object.values({ ...KEYS, ...PERSONS });
  const property = fc.property(fc.constantFrom(...secrets), fc.nat(400), (secret, before) => {
    const clean = scrub(
      `${'. '.repeat(TEXT_CHARS_MAX / 2 - 175)}${' '.repeat(before)}${secret} ${'.'.repeat(600)}`,
    );
    expect(clean).not.toContain(secret.slice(0, 8));
  });
  await assertHolds(property);
});

test('a name that is a person or a key is blanked too', () => {
  expect(scrubbed({ metadata: { 'anna@example.com': 1, [KEYS['a token of a shop']]: 2 } })).toEqual({
    metadata: { '[e-mail]': 1, '[secret]': 2 },
  });
});

test('what is nested too deep is cut, not refused', () => {
  let nested: unknown = 'x';
  for (let level = 0; level < 20_000; level++) nested = level % 2 ? [nested] : { a: nested };
  expect(quote({ error: nested })).toMatch(/^\{"error":\[\{"a":\[/);
  expect(JSON.stringify(scrubbed(nested)).length).toBeLessThan(1_000);
});

test('a text that is clean stays as it is', async () => {
  const piece = fc.oneof(
    fc.constantFrom(...Object.values({ ...KEYS, ...PERSONS })),
    fc.string({ unit: 'binary' }),
  );
  const property = fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
    const once = scrub(pieces.join(' '));
    expect(scrub(once)).toBe(once);
  });
  await assertHolds(property);
});

test('what is quoted leaves room for our own words behind it', () => {
  class Refused extends coded('NS_REQUEST_REFUSED') {}
  const said = quote({ message: `${KEYS['a Stripe key']} ${'y'.repeat(1_000_000)}` });
  expect(said.length).toBeLessThanOrEqual(QUOTE_CHARS_MAX);
  const { message, stack } = new Refused(`It says ${said}: it refuses us.`, {
    hint: 'Ask.',
    verdict: 'hold',
  });
  expect(message).toMatch(/^It says \{"message":"\[secret\] y+… \(\d+ characters\): it refuses us\.$/);
  expect(stack).toContain(message);
});

test('a message of whatever was thrown is clean, one of many causes too', () => {
  const thrown = [
    new Error(PERSONS['an e-mail']),
    PERSONS['an e-mail'],
    new AggregateError([new Error('a@b.example')]),
  ];
  expect(thrown.map(messageOf)).toEqual(['[e-mail]', '[e-mail]', '[e-mail]']);
});
