/** The providers that are played out of tables. */
import { ayrshare } from '../ayrshare/ayrshare.ts';
import { sendgrid } from '../sendgrid/sendgrid.ts';
import type { Declaration } from './declare.ts';

export const declarations: readonly Declaration[] = [sendgrid, ayrshare];

export function hostsOf(name: string): readonly string[] {
  const found = declarations.find((declaration) => declaration.name === name);
  return found?.hosts ?? [name];
}
