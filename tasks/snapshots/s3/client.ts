/** Amazon's SDK, which is loaded when a store is first used: most processes never use one. */
import type { S3Client } from '@aws-sdk/client-s3';
import { failureOf } from './failures.ts';
import { nameOf, type S3Limits, type S3Place } from './place.ts';

type Sdk = typeof import('@aws-sdk/client-s3');

/** What a request needs, and what says in our words why it failed. */
export type S3 = {
  sdk: Sdk;
  client: S3Client;
  bucket: string;
  failing(doing: string): (error: unknown) => never;
};

/** Where servers of other makers do not ask for one, any region is right. */
const REGION_OF_OTHERS = 'us-east-1';

export function opener(place: S3Place, limits: S3Limits): () => Promise<S3> {
  let opened: Promise<S3> | undefined;
  return () => (opened ??= open(place, limits));
}

/** Keys come from the chain of the SDK: environment, profile, or the role of the host. */
async function open(place: S3Place, limits: S3Limits): Promise<S3> {
  const { bucket, endpoint, pathStyle } = place;
  const sdk = await import('@aws-sdk/client-s3');
  const region = place.region ?? (endpoint === undefined ? undefined : REGION_OF_OTHERS);
  const client = new sdk.S3Client({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    forcePathStyle: pathStyle,
    maxAttempts: limits.attempts,
    retryMode: 'standard',
    // Otherwise the SDK adds checksums behind a body, in a form that many servers of other makers refuse. Uploads name
    // the hash of their content in a header, and what is read is hashed by whoever reads it.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: limits.connectMs,
      socketTimeout: limits.idleMs,
      requestTimeout: limits.requestMs,
      throwOnRequestTimeout: true,
    },
  });
  const failing = (doing: string) => (error: unknown) => {
    throw failureOf(error, { place: nameOf(place), bucket, doing });
  };
  return { sdk, client, bucket, failing };
}
