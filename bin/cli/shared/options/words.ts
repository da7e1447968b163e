/** Options as a person types them; those without a value are left out. */
export function optionWords(options: Readonly<Record<string, string | null | undefined>>): string {
  return Object.entries(options)
    .flatMap(([name, value]) => (value === null || value === undefined ? [] : [`--${name} ${value}`]))
    .join(' ');
}
