/** Where in object storage, and how long its answers may take. */

export type S3Place = {
  bucket: string;
  /** In front of each name, without slashes around it; '' for none. */
  prefix: string;
  /** The address of a server that is not Amazon's. */
  endpoint?: string | undefined;
  region?: string | undefined;
  /** Whether the bucket is in the path of an address, and not in its host. */
  pathStyle: boolean;
  /** A directory of this machine for what is not uploaded yet. */
  draftsDir: string;
};

export type S3Limits = {
  /** What is larger is uploaded in parts of this size, or larger ones if there would be more than S3 takes. */
  partBytes: number;
  /** Parts of a file that are in memory at once. */
  partsAtOnce: number;
  /** Of each request, with growing pauses between. */
  attempts: number;
  /** How often the rest of a file is asked for after its connection broke. */
  resumes: number;
  connectMs: number;
  /** Without a byte in either direction. */
  idleMs: number;
  /** From the beginning of a request to the head of its answer. */
  requestMs: number;
  /** Names in an answer to a listing. */
  pageKeys: number;
};

const MB = 1024 * 1024;

export const limits: S3Limits = {
  ...{ partBytes: 8 * MB, partsAtOnce: 2, attempts: 5, resumes: 5 },
  ...{ connectMs: 10_000, idleMs: 60_000, requestMs: 120_000, pageKeys: 1_000 },
};

/** For people and the catalogue. */
export function nameOf({ bucket, prefix }: S3Place): string {
  return prefix === '' ? `s3://${bucket}` : `s3://${bucket}/${prefix}`;
}

/** What stands in front of a name. */
export function frontOf({ prefix }: S3Place): string {
  return prefix === '' ? '' : `${prefix}/`;
}
