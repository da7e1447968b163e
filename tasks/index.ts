/** Every task that a worker runs. A new one is added here. */
import { deliverAlert } from './alerts/deliver_alert.ts';
import { pingNights, sendPing } from './alerts/send_ping.ts';
import { forecast } from './forecast.ts';
import { fxBrand } from './fx/fx_brand.ts';
import { fxFanOut } from './fx/fx_fan_out.ts';
import { fxRates } from './fx/fx_rates.ts';
import { sendDigest } from './mail/send_digest.ts';
import { sendEmail } from './mail/send_email.ts';
import { maintenance } from './maintenance.ts';
import { nightly } from './nightly.ts';
import { privacyErase } from './privacy/erase.ts';
import { privacyPurge } from './privacy/purge.ts';
import { privacyWatch } from './privacy/watch.ts';
import { reconcile } from './reconcile.ts';
import { retention } from './retention.ts';
import { rollup } from './rollup.ts';
import { snapshot } from './snapshot.ts';
import { snapshotDrill } from './snapshots/drill/snapshot_drill.ts';
import { snapshotWatch } from './snapshots/drill/watch.ts';
import { snapshotExpiry } from './snapshots/expiry/snapshot_expiry.ts';
import { syncConnection } from './sync_connection.ts';
import { syncStream } from './sync_stream.ts';
import type { Task } from './task.ts';
import { followDeliveries } from './webhooks/follow_deliveries.ts';
import { relayDeliveries } from './webhooks/relay_deliveries.ts';
import { repairSubscriptions } from './webhooks/repair_subscriptions.ts';

export const tasks: readonly Task[] = [
  syncConnection,
  syncStream,
  rollup,
  forecast,
  followDeliveries,
  relayDeliveries,
  repairSubscriptions,
  reconcile,
  fxRates,
  fxFanOut,
  fxBrand,
  privacyErase,
  privacyPurge,
  privacyWatch,
  retention,
  nightly,
  deliverAlert,
  sendPing,
  pingNights,
  sendEmail,
  sendDigest,
  snapshot,
  snapshotExpiry,
  snapshotDrill,
  snapshotWatch,
  maintenance,
];
