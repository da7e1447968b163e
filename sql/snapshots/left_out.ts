/** Tables of a brand that no snapshot holds, each with the reason. A new table is in every snapshot unless it stands here. */

export const leftOut: Readonly<Record<string, string>> = {
  'ops.alerts': 'they tell of what is wrong at present',
  'ops.backfill_slots': 'they name jobs of the queue',
  'ops.backfills': 'they name jobs of the queue',
  'ops.erased_persons': 'they are forgotten on a stated day, and would live on in a snapshot',
  'ops.failure_triage': 'failures are of jobs of the queue',
  'ops.failures': 'they are of jobs of the queue',
  'ops.job_runs': 'they are of jobs of the queue',
  'ops.night_jobs': 'they name jobs of the queue',
  'ops.pauses': 'they are of the queue at present',
  'ops.schedule_slots': 'they say what was fired by this server, and name jobs of its queue',
  'ops.snapshot_garbage': 'it is of the store of the snapshots at present',
  'ops.snapshot_parts': 'the store of the snapshots says it',
  'ops.snapshot_runs': 'the store of the snapshots says what came of them',
  'ops.snapshots': 'the store of the snapshots says it',
  'ops.stream_warnings': 'they tell of what is to be done at present',
  'ops.turns': 'they order the queue at present',
  'ops.webhook_deliveries': 'bodies are kept for seven days only, and what they brought is in raw',
  'ops.webhook_hints': 'they say what is to be read at present',
  'ops.webhook_reads': 'they say what is to be read at present',
  'ops.webhook_trouble': 'it is of the present',
};
