type Target = Partial<Record<'task' | 'provider' | 'brand' | 'connection', string | null | undefined>>;

/** What a pause is of, as a person reads it: 'sync_stream of acme/shop', or a provider's name alone. */
export function pauseTarget({ task, provider, brand, connection }: Target): string {
  const whose = connection ? `${brand}/${connection}` : (provider ?? brand);
  return [task, whose].filter((one) => one !== null && one !== undefined).join(' of ');
}
