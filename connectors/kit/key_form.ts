/** What a provider's keys look like, as far as that is known without asking: data, a declaration of each. */
import type { Shape } from '#runtime/shapes.ts';

/** A way in which a key is used. */
export type Auth = {
  name: string;
  /** What it is for, where a provider has several. */
  means?: string;
  /** Names of the parts, where it has several: they are typed with a colon between them, and stored as JSON. */
  parts?: readonly [string, string];
};

export type KeyForm = {
  /** The first is meant when nothing is said. */
  auth: readonly [Auth, ...Auth[]];
  /** How its keys and secrets look inside a text, so that they are blanked there. */
  shapes: readonly Shape[];
  /** How keys of the provider begin: one that begins so belongs to no other provider. */
  prefixes: readonly string[];
  /** Beginnings of those that read nothing, with what such a key is. */
  unfit: Readonly<Record<string, string>>;
  /** What a key that reads looks like; `otherwise` says what one is not that does not. */
  fits: RegExp;
  otherwise: string;
  /** How to come to a key that fits. */
  hint: string;
};

/** Why a key can never read, if that is seen. Nothing of it is repeated. */
export function problemOf({ unfit, fits, otherwise }: KeyForm, key: string): string | undefined {
  const [, what] = Object.entries(unfit).find(([prefix]) => key.startsWith(prefix)) ?? [];
  return what ?? (fits.test(key) ? undefined : otherwise);
}
