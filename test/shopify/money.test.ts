import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decimal, fromMinor } from '#connectors/kit/money.ts';
import { exponentOf } from '#runtime/currencies.ts';
import { assertHolds } from '../support/property.ts';

test.each([
  ['10.00', '10'],
  ['10.0', '10'],
  ['10', '10'],
  ['1000.0', '1000'],
  ['29.999', '29.999'],
  ['0.00', '0'],
  ['-0.00', '0'],
  ['-0', '0'],
  ['-3.50', '-3.5'],
  ['0.010', '0.01'],
])('%s is %s in its shortest form', (given, shortest) => expect(decimal(given)).toBe(shortest));

test.each(['', '1,5', '1e3', '.5', '5.', 'NaN', '+1', ' 1', 1, null, undefined])(
  '%o is not a decimal text',
  (given) => expect(decimal(given)).toBeUndefined(),
);

test('the shortest form keeps the value and is reached in one step', async () => {
  const amounts = fc.tuple(
    fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }),
    fc.integer({ min: 0, max: 6 }),
  );
  await assertHolds(
    fc.property(amounts, fc.integer({ min: 0, max: 4 }), ([minor, places], zeros) => {
      const plain = fromMinor(minor, places);
      const padded = plain.includes('.') ? plain + '0'.repeat(zeros) : plain;
      const short = decimal(padded) ?? '';
      expect(decimal(short)).toBe(short);
      expect(BigInt(scaled(short))).toBe(minor * 10n ** BigInt(6 - places));
    }),
  );
});

function scaled(text: string): string {
  const [whole = '', fraction = ''] = text.split('.');
  return whole + fraction.padEnd(6, '0');
}

test.each([
  [1050, 'USD', '10.50'],
  [-5, 'EUR', '-0.05'],
  [1050, 'JPY', '1050'],
  [1050, 'KWD', '1.050'],
  [7, 'KWD', '0.007'],
  [0, 'USD', '0.00'],
  ['123456789012345678', 'USD', '1234567890123456.78'],
])('%s minor units of %s are %s', (minor, currency, major) =>
  expect(fromMinor(minor, exponentOf(currency))).toBe(major),
);

test('currencies have the places that ISO 4217 gives them', () => {
  expect(['USD', 'JPY', 'KWD', 'CLF'].map(exponentOf)).toEqual([2, 0, 3, 4]);
});
