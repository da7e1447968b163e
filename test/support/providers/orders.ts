/** Orders as a scenario has them, for first loads of a shop. */

/** With so many lines; each third one has given some back. */
export function order(id: number, lines = 1, more: object = {}) {
  const lineItems = Array.from({ length: lines }, (_, i) => ({
    id: id * 100 + i,
    originalUnitPriceSet: `${i + 1}.50`,
  }));
  const refunds =
    id % 3 === 0 ? [{ createdAt: '2026-11-05T00:00:00Z', refundLineItems: [{ lineItem: id * 100 }] }] : [];
  return {
    id,
    processedAt: `2026-11-0${(id % 4) + 1}T10:00:00Z`,
    customer: id % 7,
    lineItems,
    refunds,
    ...more,
  };
}

export const few = Array.from({ length: 12 }, (_, i) => order(i + 1, 3));

/** How often a query was asked, of the names of all. */
export const count = (names: string[], name: string) => names.filter((one) => one === name).length;
