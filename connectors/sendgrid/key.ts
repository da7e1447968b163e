/** API keys of SendGrid, blanked already: what others echo may hold one. */
import { SECRET, type Shape } from '#runtime/shapes.ts';

export const keyShapes: readonly Shape[] = [
  // Also without what follows the second point, which a cut may have taken.
  { of: 'SendGrid', signs: ['SG.'], pattern: /SG\.[\w-]{6,}(?:\.[\w-]+)?/g, blank: SECRET },
];
