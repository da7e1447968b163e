/** Spreads simultaneous work: always the same number below `below` for an id. */
import { hash } from 'node:crypto';

const HEX_DIGITS = 8;

export function spread(id: string, below: number): number {
  return Number.parseInt(hash('sha256', id).slice(0, HEX_DIGITS), 16) % below;
}
