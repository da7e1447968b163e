/** The key of a stream of a brand: its connection and its name. */

export type ConnectionKey = { brandId: string; connectionId: string };

export type StreamKey = ConnectionKey & {
  /** The name of the provider, then what is read from it. */
  stream: string;
};
