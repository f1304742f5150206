/** The program that test/sync-order.crash.test.ts traces: one hour from its first event to its packages, and an import. */
import { join } from 'node:path';
import { addHours, hourOf, HOUR_MS } from '../../src/events/hour.ts';
import { LocalPackageStore } from '../../src/packages/local-package-store.ts';
import { HourLog } from '../../src/store/hour-log/hour-log.ts';
import { ImportWriter } from '../../src/store/hour-log/import-writer.ts';
import { storeJobsInPlace } from '../../src/store/hour-log/store-jobs.ts';
import { eventBatch, HOUR_START_MS } from './event-rows.ts';
import { FakeClock } from './fake-clock.ts';
import { mark } from './file-calls.ts';

const folder = process.argv[2]!;
const root = join(folder, 'hour-log');
const hour = hourOf(HOUR_START_MS);
const store = await HourLog.open({ root, clock: new FakeClock(HOUR_START_MS), jobs: storeJobsInPlace });
mark('opened');
await store.append(eventBatch('ai', [{ id: 'first' }]));
mark('first acknowledged');
await store.append(eventBatch('ai', [{ id: 'second' }]));
mark('second acknowledged');
await store.seal(addHours(hour, 1));
mark('sealed');
await store.prepare(hour);
mark('prepared');

const packages = await LocalPackageStore.open(join(folder, 'packages'));
const sink = await packages.create('ai/202611230400/r1/evar/part.csv.gz');
await sink.write(Buffer.from('a package'));
await sink.finish();
mark('packaged');

const writer = await ImportWriter.begin({ root, ai: 'ai', jobs: storeJobsInPlace });
await writer.append(eventBatch('ai', [{ id: 'imported' }]), HOUR_START_MS - HOUR_MS);
await writer.commit();
mark('imported');
await store.close();
