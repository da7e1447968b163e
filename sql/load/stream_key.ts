/** What names a stream of a brand everywhere: its connection, and what is read from there. */

export type ConnectionKey = { brandId: string; connectionId: string };

export type StreamKey = ConnectionKey & {
  /** The name of the provider, then what is read from it. */
  stream: string;
};
