/** A kind of change that rollups follow. The name of a rollup whose table others read is one too. */
export type Subject = string;
