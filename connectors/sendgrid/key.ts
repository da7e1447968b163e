/** API keys of SendGrid. They are blanked already, because foreign texts may echo one. */
import { SECRET, type Shape } from '#runtime/shapes.ts';

export const keyShapes: readonly Shape[] = [
  // The part after the second dot is optional, because a cut may have removed it.
  { of: 'SendGrid', signs: ['SG.'], pattern: /SG\.[\w-]{6,}(?:\.[\w-]+)?/g, blank: SECRET },
];
