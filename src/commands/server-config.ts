/** Turns parsed options into the configuration of system.ts. */
import { parseLinkSchemes } from '../ads/link-target.ts';
import type { OptionName } from '../config/option-table.ts';
import type { OptionValues } from '../config/parse-options.ts';
import type { GzipCodecChoice } from '../exports/gzip/open-gzip-codec.ts';
import { systemClock } from '../lib/clock.ts';
import { openLogger } from '../observability/logger.ts';
import type { ServerConfig, WorkshopConfig } from '../system.ts';

export const WORKSHOP_OPTIONS: readonly OptionName[] = [
  'data',
  'package-bytes',
  'gzip',
  'retention-days',
  'export-threads',
  'export-attempts',
  'segment-bytes',
  'fsync',
  'log-level',
];

export const SERVER_OPTIONS: readonly OptionName[] = [
  'data',
  'listen',
  'public-url',
  'collectors',
  'package-bytes',
  'gzip',
  'retention-days',
  'call-limit',
  'ingest-limit-bytes',
  'max-body-bytes',
  'max-decoded-bytes',
  'max-held-bytes',
  'trusted-proxies',
  'link-schemes',
  'segment-bytes',
  'fsync',
  'export-threads',
  'export-attempts',
  'log-level',
];

/** `data` stands in for the option of a command that has none. */
export function workshopConfigOf(options: OptionValues, data = options.text('data')): WorkshopConfig {
  return {
    data,
    clock: systemClock,
    logger: openLogger(options.text('log-level')),
    packageBytes: options.integer('package-bytes'),
    gzip: options.text('gzip') as GzipCodecChoice,
    exportThreads: options.integer('export-threads'),
    exportAttempts: options.integer('export-attempts'),
    segmentBytes: options.integer('segment-bytes'),
    syncs: options.text('fsync') === 'always',
  };
}

export function serverConfigOf(options: OptionValues): ServerConfig {
  return {
    ...workshopConfigOf(options),
    listen: options.listen('listen'),
    collectors: options.integer('collectors'),
    publicUrl: options.optionalText('public-url'),
    retentionDays: options.integer('retention-days'),
    callsPerSecond: options.integer('call-limit'),
    ingestLimitBytesPerSecond: options.integer('ingest-limit-bytes'),
    maxBodyBytes: options.integer('max-body-bytes'),
    maxDecodedBytes: options.integer('max-decoded-bytes'),
    maxHeldBytes: options.integer('max-held-bytes'),
    trustedProxies: options.list('trusted-proxies'),
    linkSchemes: parseLinkSchemes(options.list('link-schemes')),
  };
}
