import { buildGiftware } from './builtin/giftware.ts';
import { loadScenario } from './scenario.ts';
import type { World } from './shopify/shop.ts';

/** The data of a scenario directory as of its own instant or another one, or the built-in data. */
export function loadWorld(dir: string | undefined, now?: string): Promise<World> {
  return dir === undefined ? buildGiftware() : loadScenario(dir, now);
}
