/** A stream of each kind: what a table keeps is said in one word, each column in one line. */
import { columnsOf, noPayload, recordTable, rest } from '#connectors/kit/columns.ts';
import * as fields from '#connectors/kit/fields.ts';
import { acornStream } from './stream.ts';

const text = columnsOf('text', fields.text);
const count = columnsOf('integer', fields.integer);
const amount = columnsOf('numeric', fields.amount);
const instant = columnsOf('timestamptz', fields.instant);
const day = columnsOf('date', fields.text);

const campaigns = recordTable({
  name: 'raw.acorn_campaigns',
  personal: null,
  key: ['id'],
  partColumn: 'id',
  columns: {
    id: text('id', { marks: 'campaigns' }),
    title: text('title'),
    payload: rest(new Set(['price', 'updated_at'])),
  },
});

const prices = recordTable({
  name: 'raw.acorn_prices',
  personal: null,
  key: ['id', 'valid_from'],
  rootColumn: 'id',
  keeps: 'history',
  columns: {
    id: text('id'),
    valid_from: instant('updated_at'),
    price: amount('price'),
    payload: noPayload,
  },
});

export const campaignsStream = acornStream({
  name: 'campaigns',
  tables: [campaigns, prices],
  toItem: (campaign) => ({
    id: fields.text(campaign, 'id'),
    changedAt: fields.instant(campaign, 'updated_at'),
    rows: { [campaigns.name]: [campaigns.rowOf(campaign)], [prices.name]: [prices.rowOf(campaign)] },
  }),
});

const opens = recordTable({
  name: 'raw.acorn_opens',
  personal: null,
  key: ['id'],
  keeps: 'events',
  partColumn: 'campaign_id',
  columns: {
    id: text('id'),
    campaign_id: text('campaign', { marks: 'campaigns' }),
    opened_at: instant('at', { marks: 'emails' }),
    payload: rest(),
  },
});

export const opensStream = acornStream({
  name: 'opens',
  tables: [opens],
  toItem: (open, readAt) => ({
    id: fields.text(open, 'id'),
    changedAt: readAt,
    rows: { [opens.name]: [opens.rowOf(open)] },
  }),
});

const spend = recordTable({
  name: 'raw.acorn_spend',
  personal: null,
  key: ['campaign_id', 'day'],
  rootColumn: 'campaign_id',
  keeps: 'days',
  partColumn: 'campaign_id',
  columns: {
    campaign_id: text('campaign', { marks: 'campaigns' }),
    day: day('day', { marks: 'spend' }),
    amount: amount('amount'),
    payload: rest(),
  },
});

export const spendStream = acornStream({
  name: 'spend',
  tables: [spend],
  toItem: (figure, readAt) => ({
    id: fields.text(figure, 'campaign'),
    changedAt: readAt,
    rows: { [spend.name]: [spend.rowOf(figure)] },
  }),
});

const views = recordTable({
  name: 'raw.acorn_views',
  personal: null,
  key: ['id', 'read_at'],
  rootColumn: 'id',
  keeps: 'counters',
  columns: {
    id: text('id'),
    read_at: instant('read_at', { marks: 'views' }),
    views: count('views'),
    payload: noPayload,
  },
});

export const viewsStream = acornStream({
  name: 'views',
  tables: [views],
  toItem: (reading, readAt) => ({
    id: fields.text(reading, 'id'),
    changedAt: readAt,
    rows: { [views.name]: [views.rowOf(reading)] },
  }),
});

export const acornTables = [campaigns, prices, opens, spend, views];
