/** Declares the form of a provider's keys, as far as it is known without a request. */
import type { Shape } from '#runtime/shapes.ts';

/** A way to use a key. */
export type Auth = {
  name: string;
  /** Its purpose, if a provider has several. */
  means?: string;
  /** The names of its parts, if it has several: typed with a colon between them, and stored as JSON. */
  parts?: readonly [string, string, ...string[]];
};

export type KeyForm = {
  /** The first one is the default. */
  auth: readonly [Auth, ...Auth[]];
  /** The shapes of its keys and secrets, which are blanked in texts. */
  shapes: readonly Shape[];
  /** Prefixes of its keys, which no other provider uses. */
  prefixes: readonly string[];
  /** Prefixes of keys that cannot read, with the kind of such a key. */
  unfit: Readonly<Record<string, string>>;
  /** The form of a key that can read; `otherwise` is the error for another one. */
  fits: RegExp;
  otherwise: string;
  /** How to get a suitable key. */
  hint: string;
};

/** Why a key can never read, if that is visible. Never repeats the key. */
export function problemOf({ unfit, fits, otherwise }: KeyForm, key: string): string | undefined {
  const [, what] = Object.entries(unfit).find(([prefix]) => key.startsWith(prefix)) ?? [];
  return what ?? (fits.test(key) ? undefined : otherwise);
}
