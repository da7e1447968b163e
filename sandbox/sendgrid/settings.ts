/** The accounts of SendGrid in a scenario, and what their events have in common. */
import { z } from 'zod';
import type { Draft } from '../ndjson.ts';
import { isZone } from '../zone.ts';

export const shape = z
  .record(
    z.string(),
    z.strictObject({
      /** By default `SG.sandbox_<account>.key`. */
      key: z.string().startsWith('SG.').optional(),
      /** Of this account: it is read with its key and `on-behalf-of`. */
      parent: z.string().optional(),
      region: z.enum(['global', 'eu']).default('global'),
      zone: z.string().refine(isZone, 'is not an IANA time zone').default('UTC'),
      /** All, if absent. */
      scopes: z.array(z.string()).optional(),
      /** Without the plan its lists are refused. */
      marketing: z.boolean().default(true),
      /** So many Event Webhooks may be switched on. */
      webhooks: z.int().nonnegative().default(1),
      limit: z.strictObject({ count: z.int().positive(), seconds: z.int().positive() }).optional(),
    }),
  )
  .default({});

export type Settings = z.infer<typeof shape>[string];

export const FILES = [
  ...['events', 'stats', 'singlesends', 'subusers', 'templates', 'asm_groups'],
  ...['asm_suppressions', 'bounces', 'blocks', 'invalid_emails', 'spam_reports', 'unsubscribes'],
];

/** Unix seconds of an event, which some examples give in milliseconds. */
export function secondsOf({ timestamp }: Draft): number {
  const given = Number(timestamp);
  return given > 1e11 ? given / 1000 : given;
}

/** Text or list, as SendGrid writes categories. */
export function listOf(value: unknown): string[] {
  if (value === undefined || value === null || value === '') return [];
  return Array.isArray(value) ? value.map(String) : [String(value)];
}
