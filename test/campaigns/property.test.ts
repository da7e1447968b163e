/**
 * Whatever comes in whatever order (orders, later versions with returns, clicks twice and late, posts, links, spend, other
 * windows), each order ends credited as a plain model says, and the figures as if they were made from nothing.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Campaign, removeCampaign, setWindow } from '#sql/campaigns/campaigns.ts';
import { addLink, removeLink } from '#sql/campaigns/links.ts';
import { storeSpend } from '#sql/campaigns/spend.ts';
import { rollups as all } from '#sql/rollups/index.ts';
import { runRollups } from '#sql/rollups/run.ts';
import { aClick, aSeller, NOW, type Seller } from '../support/campaigns.ts';
import { freshDb } from '../support/db/db.ts';
import { aggregatesOf } from '../support/db/rebuild.ts';
import { assertExplained } from '../support/explain/law.ts';
import { assertHolds, inForm } from '../support/property.ts';

const rollups = all.filter(({ writes }) =>
  /order_days|order_credits|daily_campaigns|daily_sales/.test(writes),
);
const HOUR_MS = 3_600_000;
const BEGIN = Date.parse('2026-03-26T00:00:00Z'); // the clock in London changes on the 29th
const HOURS = 8 * 24;
const hour = fc.integer({ min: 0, max: HOURS });
const person = fc.constantFrom('a@x.example', 'b@x.example', 'c@x.example');
const utm = fc.constantFrom('u1', 'u2', 'U1 ');
const code = fc.constantFrom('k1', 'k2');
const category = fc.constantFrom('n1', 'n2');
const send = fc.constantFrom('s1', 's2');
const at = (hours: number) => new Date(BEGIN + hours * HOUR_MS).toISOString();

const linked = fc.oneof(
  fc.record({ kind: fc.constant('utm_campaign' as const), value: fc.constantFrom('u1', 'u2') }),
  fc.record({ kind: fc.constant('discount_code' as const), value: code }),
  fc.record({ kind: fc.constant('email_category' as const), value: category }),
  fc.record({ kind: fc.constant('single_send' as const), value: send }),
  fc.record({ kind: fc.constant('hashtag' as const), value: fc.constantFrom('h1', 'h2') }),
);

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('order' as const),
      ...{
        id: fc.integer({ min: 1, max: 5 }),
        shop: fc.constantFrom('uk' as const, 'ie' as const),
        hour,
        total: fc.integer({ min: 1, max: 900 }),
      },
      ...{
        utm: fc.option(utm, { nil: undefined }),
        visit: fc.option(fc.integer({ min: -3, max: 40 }), { nil: undefined }),
      },
      ...{
        code: fc.option(code, { nil: undefined }),
        person: fc.option(person, { nil: undefined }),
        back: fc.option(hour, { nil: undefined }),
      },
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('click' as const),
      ...{
        id: fc.integer({ min: 1, max: 9 }),
        person,
        hour,
        category,
        send: fc.option(send, { nil: undefined }),
        robot: fc.boolean(),
      },
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('post' as const),
      id: fc.integer({ min: 1, max: 3 }),
      hour,
      utm,
      tag: fc.constantFrom('h1', 'h2', 'none'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('link' as const), to: fc.nat(2), link: linked }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unlink' as const), link: linked }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('spend' as const), to: fc.nat(2), hour, amount: fc.nat(500) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('window' as const), hours: fc.constantFrom(0, 24, 168) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat(2) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('roll' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Of<K extends Step['do']> = Extract<Step, { do: K }>;

/** What is known, by the last word on each thing. */
class Model {
  orders = new Map<string, Of<'order'>>();
  clicks = new Map<number, Of<'click'>>();
  posts = new Map<number, Of<'post'>>();
  links = new Map<string, number>();
  window = 168;

  /** The campaign and kind of an order's last touch. */
  credit(order: Of<'order'>): string | undefined {
    const { hour: placed, visit } = order;
    const visited = visit === undefined ? placed : placed - visit;
    const name = order.utm?.trim().toLowerCase();
    const touches: [hour: number, strength: number, kind: string, campaign: number][] = [];
    const add = (hours: number, strength: number, kind: string, campaign: number | undefined) => {
      if (campaign !== undefined && hours <= placed && hours >= placed - this.window)
        touches.push([hours, strength, kind, campaign]);
    };
    if (order.code) add(placed, 1, 'discount_code', this.links.get(`discount_code ${order.code}`));
    if (name) add(visited, 2, 'utm_campaign', this.links.get(`utm_campaign ${name}`));
    for (const click of this.clicks.values()) {
      if (click.robot || click.person !== order.person) continue;
      const ofSend = click.send && this.links.get(`single_send ${click.send}`);
      add(click.hour, 3, 'email_click', ofSend ?? this.links.get(`email_category ${click.category}`));
    }
    const posts = [...this.posts.values()]
      .filter((post) => post.utm.trim().toLowerCase() === name && post.hour <= placed)
      .filter((post) => this.ofPost(post) !== undefined)
      .sort((one, other) => other.hour - one.hour || one.id - other.id);
    if (posts[0]) add(visited, 4, 'social_post', this.ofPost(posts[0]));
    touches.sort((one, other) => other[0] - one[0] || one[1] - other[1]);
    // Clicks at one instant that name two campaigns: the id of the click decides, which the step numbers.
    const [best] = touches;
    if (best === undefined) return undefined;
    const equal = touches.filter(([hours, strength]) => hours === best[0] && strength === best[1]);
    return equal.length > 1 && best[1] === 3 ? `? ${best[2]}` : `${best[3]} ${best[2]}`;
  }

  ofPost(post: Of<'post'>): number | undefined {
    return (
      this.links.get(`utm_campaign ${post.utm.trim().toLowerCase()}`) ?? this.links.get(`hashtag ${post.tag}`)
    );
  }
}

async function apply(
  seller: Seller,
  campaigns: (Campaign | undefined)[],
  model: Model,
  step: Step,
): Promise<void> {
  const { db, brandId } = seller;
  const acting = { actor: 'test' };
  if (step.do === 'order') {
    const key = `${step.shop}/${step.id}`;
    const first = model.orders.get(key);
    const order = { ...step, hour: first?.hour ?? step.hour }; // an order stays on its day
    model.orders.set(key, order);
    version += 1;
    const back = {
      reason: 'REFUND',
      action: 'RETURN',
      at: at(Math.max(order.back ?? 0, order.hour)),
      quantity: -1,
      total: '-1.00',
    };
    const sales = [{ total: `${order.total}.00`, quantity: 1 }, ...(order.back === undefined ? [] : [back])];
    const visitedAt = order.visit === undefined ? undefined : at(order.hour - order.visit);
    const raw = {
      id: String(order.id),
      at: at(order.hour),
      version: new Date(Date.parse('2026-05-01T00:00:00Z') + version * 1000).toISOString(),
      sales,
    };
    const origin = {
      ...(order.utm && { utm: order.utm }),
      ...(visitedAt && { visitedAt }),
      ...(order.code && { codes: [order.code] }),
      ...(order.person && { person: order.person }),
    };
    await seller.orders([{ ...raw, ...origin }], seller[order.shop]);
  } else if (step.do === 'click') {
    if (!model.clicks.has(step.id)) model.clicks.set(step.id, step); // an event never changes
    const more = {
      category: [step.category],
      ...(step.send && { singlesend_id: step.send }),
      ...(step.robot && { sg_machine_open: true }),
    };
    await seller.mailed([aClick(`c${step.id}`, step.person, at(step.hour), more)]);
  } else if (step.do === 'post') {
    const post = { ...step, hour: model.posts.get(step.id)?.hour ?? step.hour }; // the first instant of a post stays
    model.posts.set(step.id, post);
    await seller.posted([
      { id: `facebook/${step.id}`, at: at(post.hour), text: `#${step.tag}`, campaign: step.utm },
    ]);
  } else if (step.do === 'link' || step.do === 'unlink') {
    const name = `${step.link.kind} ${step.link.value}`;
    const owner = model.links.get(name);
    const campaign = campaigns[step.do === 'link' ? step.to : (owner ?? -1)];
    if (campaign === undefined || (step.do === 'link') !== (owner === undefined)) return;
    await db.transaction(async (tx) => {
      if (step.do === 'link') await addLink(tx, campaign, step.link, acting);
      else await removeLink(tx, campaign, step.link, acting);
    });
    if (step.do === 'link') model.links.set(name, step.to);
    else model.links.delete(name);
  } else if (step.do === 'spend') {
    const campaignId = campaigns[step.to]?.id;
    if (campaignId === undefined) return;
    const row = {
      campaignId,
      day: at(step.hour).slice(0, 10),
      currency: 'GBP',
      source: 'ads',
      amount: String(step.amount),
    };
    await db.transaction((tx) => storeSpend(tx, { brandId, target: 'test', ...acting }, [row]));
  } else if (step.do === 'window') {
    model.window = step.hours;
    await db.transaction((tx) => setWindow(tx, brandId, step.hours, acting));
  } else if (step.do === 'remove') {
    const campaign = campaigns[step.which];
    if (campaign === undefined) return;
    await db.transaction((tx) => removeCampaign(tx, campaign, acting));
    campaigns[step.which] = undefined;
    for (const [name, owner] of model.links) if (owner === step.which) model.links.delete(name);
  } else await seller.roll();
}

let version = 0;

async function rebuilt(seller: Seller) {
  const days = Array.from({ length: 40 }, (_, n) =>
    new Date(BEGIN + (n - 20) * 24 * HOUR_MS).toISOString().slice(0, 10),
  );
  for (const { writes } of rollups)
    await seller.db.query(`delete from ${writes} where brand_id = $1`, [seller.brandId]);
  for (const retailerId of [seller.uk.retailerId, seller.ie.retailerId, null])
    await seller.db.transaction((tx) =>
      runRollups(tx, rollups, { brandId: seller.brandId, retailerId, days, now: NOW }),
    );
  return aggregatesOf(seller.db, seller.brandId, rollups);
}

test('credits are those of the model, and figures those of a rebuild', async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 30 }), async (steps) => {
    await using db = await freshDb();
    const [seller, other] = [await aSeller(db), await aSeller(db)];
    const model = new Model();
    const names = ['one', 'two', 'three'];
    const campaigns: (Campaign | undefined)[] = [];
    for (const slug of names) campaigns.push(await seller.campaign(slug));
    for (const one of steps) await apply(seller, campaigns, model, one);
    await seller.roll();

    const credits = new Map((await seller.credits()).map(({ order_id, ...credit }) => [order_id, credit]));
    for (const [key, order] of model.orders) {
      const [campaign, kind] = model.credit(order)?.split(' ') ?? [];
      const found = credits.get(key);
      expect([key, found?.touch_kind]).toEqual([key, kind]);
      if (campaign !== undefined && campaign !== '?')
        expect([key, found?.campaign]).toEqual([key, names[Number(campaign)]]);
    }
    expect(await db.rows('select * from ops.figure_checks where not ok')).toEqual([]);
    const incremental = await aggregatesOf(db, seller.brandId, rollups);
    expect(await seller.roll()).toMatchObject(Array(3).fill({ written: 0, deleted: 0 }));
    expect(await rebuilt(seller)).toEqual(incremental);
    expect(await other.days()).toEqual([]);
    await assertExplained(db, seller.brandId, { rollups });
  });
  await assertHolds(property, inForm(12, 40));
});
