/** Who a request is about. It is sealed as long as the request is open, because it is what must not stay. */
import { z } from 'zod';
import type { Sealed, Sealer } from '../tenants/secrets.ts';

const TEXT_MAX = 320;
const OBJECTS_MAX = 20_000;

export const identitySchema = z.strictObject({
  /** The id by which the connection of the request knows the person. */
  customer: z.string().min(1).max(255).optional(),
  email: z.string().min(3).max(TEXT_MAX).optional(),
  phone: z.string().min(3).max(TEXT_MAX).optional(),
  /** Single objects of that connection, by root table. */
  objects: z.record(z.string(), z.array(z.string().max(255)).max(OBJECTS_MAX)).optional(),
});

export type Identity = z.output<typeof identitySchema>;

/** What is kept of an erased person: also objects that named it in a text, by connection, as `objectKey` names them. */
const rememberedSchema = z.strictObject({
  person: identitySchema,
  objects: z.record(z.string(), z.array(z.string())),
});

export type Remembered = z.output<typeof rememberedSchema>;

const place = (brandId: string) => ({ brandId, connectionId: '', use: 'person' }) as const;

export function sealIdentity(sealer: Sealer, brandId: string, identity: Identity): Sealed {
  return sealer.seal(JSON.stringify(identitySchema.parse(identity)), place(brandId));
}

export function sealRemembered(sealer: Sealer, brandId: string, remembered: Remembered): Sealed {
  return sealer.seal(JSON.stringify(rememberedSchema.parse(remembered)), place(brandId));
}

export function openRemembered(sealer: Sealer, brandId: string, sealed: Sealed): Remembered {
  return rememberedSchema.parse(JSON.parse(sealer.open(sealed, place(brandId))));
}

export function openIdentity(sealer: Sealer, brandId: string, sealed: Sealed): Identity {
  return identitySchema.parse(JSON.parse(sealer.open(sealed, place(brandId))));
}
