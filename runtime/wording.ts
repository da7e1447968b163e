/** How numbers look in a sentence. Amounts are decimal text and stay exact. */

/** '1234567.5' → '1,234,567.5'. Works on the text, so that no digit of an amount is lost. */
export function grouped(amount: string | number): string {
  const [whole = '', fraction] = String(amount).split('.');
  const withCommas = whole.replace(/(?<!\d)\d{4,}$/, (digits) => {
    const first = digits.length % 3 || 3;
    return [digits.slice(0, first), ...(digits.slice(first).match(/\d{3}/g) ?? [])].join(',');
  });
  return fraction === undefined ? withCommas : `${withCommas}.${fraction}`;
}

/** '1 job', '3 jobs'. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return number === 1 ? `1 ${noun}` : `${grouped(number)} ${plural}`;
}

/** The same for a noun given in its plural, such as the names of streams: '1 order', '3 orders'. */
export function counted(number: number, plural: string): string {
  return count(number, plural.replace(/s$/, ''), plural);
}

export function isOrAre(number: number): 'is' | 'are' {
  return number === 1 ? 'is' : 'are';
}
