/**
 * Loaded before a program that is forked (`--import`), tells the parent how much memory it takes: many
 * times a second as it stands, and on demand what lives after everything was collected (`--expose-gc`).
 */
const SAMPLE_MS = 200;

const tell = (isCollected: boolean) => {
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  if (process.connected) process.send?.({ rss, heapUsed, external, arrayBuffers, isCollected });
};
setInterval(tell, SAMPLE_MS, false).unref();
process.on('message', (order) => {
  if (order !== 'collect') return;
  for (let round = 0; round < 3; round++) globalThis.gc?.(); // what finalizers let go of is collected after them
  tell(true);
});
process.channel?.unref();

export {};
