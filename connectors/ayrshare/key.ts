/** API and profile keys of Ayrshare. They are blanked already, because foreign texts may echo one. */
import { SECRET, type Shape } from '#runtime/shapes.ts';

export const keyShapes: readonly Shape[] = [
  // Four groups; a digit in the first two distinguishes them from words with hyphens.
  {
    of: 'Ayrshare',
    signs: ['-'],
    pattern:
      /(?<=^|[^\w-]|%[\dA-F]{2}|\\[nrt]|\\u[\da-f]{4})(?=[A-Za-z-]{0,15}\d)[A-Za-z0-9]{6,8}(?:-[A-Za-z0-9]{6,8}){3}(?![\w-])/g,
    blank: SECRET,
  },
];
