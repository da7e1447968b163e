/** What is due in another store than that of this process, and who removes it. */

const OBJECT_STORAGE = /^s3:\/\//;

export function elsewhereSaid(place: string): string {
  const setting = OBJECT_STORAGE.test(place)
    ? `NIGHTSHIFT_SNAPSHOT_STORE=${place}`
    : `NIGHTSHIFT_SNAPSHOT_DIR=${place} and without NIGHTSHIFT_SNAPSHOT_STORE`;
  return `is in ${place}: npx nightshift snapshots expire --here, with ${setting}, removes it`;
}
