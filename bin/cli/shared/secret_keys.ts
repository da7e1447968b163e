/**
 * The keys that seal the secrets of connections: those in NIGHTSHIFT_SECRET_KEYS, or else a key file beside the data,
 * created when it is first needed. Back it up: without it the stored keys of providers cannot be opened again.
 */
import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, readConfig, type SecretKey } from '#runtime/config.ts';

const KEY_BYTES = 32; // AES-256

/** `say` reports a new key file. */
export async function secretKeysOf(config: Config, say: (line: string) => void): Promise<SecretKey[]> {
  return (await storedSecretKeys(config)) ?? keysIn(await makeFile(fileOf(config), say));
}

/** Those that there are; undefined before the key file is made. */
export async function storedSecretKeys(config: Config): Promise<SecretKey[] | undefined> {
  if (config.secretKeys) return config.secretKeys;
  const text = await readIfThere(fileOf(config));
  return text === undefined ? undefined : keysIn(text);
}

function fileOf({ dataDir }: Config): string {
  return join(dataDir, 'secret_keys');
}

function keysIn(text: string): SecretKey[] {
  return readConfig({ NIGHTSHIFT_SECRET_KEYS: text.trim() }).secretKeys ?? [];
}

async function makeFile(file: string, say: (line: string) => void): Promise<string> {
  // The id is random too, so that the name of a missing key distinguishes a lost file from its successor.
  const text = `file-${randomBytes(3).toString('hex')}:${randomBytes(KEY_BYTES).toString('base64')}\n`;
  const draft = `${file}.${process.pid}`;
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(draft, text, { mode: 0o600, flush: true }); // what it seals must not outlive it
  try {
    await link(draft, file); // atomic, and fails if another command was first
    say(`Made ${file}, which seals the keys of connections. Keep a copy, or set NIGHTSHIFT_SECRET_KEYS.`);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return await readFile(file, 'utf8');
  } finally {
    await rm(draft, { force: true });
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
}
