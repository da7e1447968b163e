/** How a command ends. docs/operations.md lists the codes for the operator. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  timedOut: 5,
  partial: 6,
  databaseUnreachable: 69,
  interrupted: 130,
} as const;

export type ExitName = keyof typeof exitCodes;
export type ExitCode = (typeof exitCodes)[ExitName];
