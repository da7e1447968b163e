/** What changes: rollups say which of these they follow. A rollup whose table others read is one by its name. */
export type Subject = string;
