/** What a provider's keys look like, as far as that is known without asking: data, a declaration of each. */
export type KeyForm = {
  /** Ways in which a key is used; the first is meant when nothing is said. */
  auth: readonly [string, ...string[]];
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
