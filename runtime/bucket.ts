/** The settings of a store of snapshots in object storage. Keys are no settings of ours: the SDK finds them itself. */

export type Bucket = {
  bucket: string;
  /** In front of all names, '' for none. */
  prefix: string;
  /** Undefined for Amazon's own. */
  endpoint: string | undefined;
  /** Undefined: what the SDK finds. */
  region: string | undefined;
  /** Whether addresses have the bucket in their path, not in their host. */
  pathStyle: boolean;
};

const STORE =
  /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([\w-][\w.-]{0,99}(?:\/[\w-][\w.-]{0,99}){0,7}))?\/?$/;

export const STORE_FORM = 'must be s3://bucket or s3://bucket/prefix, of letters, digits, - and .';

export function isStore(text: string): boolean {
  return STORE.test(text);
}

/** No message or catalogue ever has keys, and addresses would bring them there. */
export function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return (
    ['http:', 'https:'].includes(protocol) && [username, password, search, hash].every((part) => part === '')
  );
}

type Given = {
  store: string | undefined;
  endpoint: string | undefined;
  region: string | undefined;
  pathStyle: boolean | undefined;
};

/** Servers of other makers mostly have no host for each bucket. */
export function bucketOf({ store, endpoint, region, pathStyle }: Given): Bucket | undefined {
  const [, bucket, prefix = ''] = STORE.exec(store ?? '') ?? [];
  if (bucket === undefined) return undefined;
  return { bucket, prefix, endpoint, region, pathStyle: pathStyle ?? endpoint !== undefined };
}
