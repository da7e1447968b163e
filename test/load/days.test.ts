import { expect, test } from 'vitest';
import { day, InvalidField } from '#connectors/kit/fields.ts';

test('a day of a provider is one of the calendar, in ISO 8601', () => {
  expect(day({ on: '2024-02-29' }, 'on')).toBe('2024-02-29');
  for (const on of [
    '2023-02-29',
    '2024-2-9',
    '29.02.2024',
    '0001-01-01',
    '2024-02-29T00:00:00Z',
    20240229,
    null,
  ])
    expect(() => day({ on }, 'on'), String(on)).toThrow(InvalidField);
});
