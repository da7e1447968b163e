/** Why something is as it is, and what a person may do about it. */
export type Reason = { because: string; next?: string };

export function reason(because: string, next?: string): Reason {
  return next === undefined ? { because } : { because, next };
}

export function reasonLines(reasons: readonly Reason[]): string[] {
  return reasons.flatMap(({ because, next }) => [`  ${because}`, ...(next ? [`    next: ${next}`] : [])]);
}
