/**
 * The part of a server that answers HTTP: collector and API on one port. Built in the server's own process, or in each of its
 * collector processes.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Catalog } from './catalog/catalog.ts';
import { ClientAddresses } from './collector/client-address.ts';
import { CollectorMetrics } from './collector/collector-metrics.ts';
import { Collector } from './collector/collector.ts';
import { IngestLimit } from './collector/ingest-limit.ts';
import { openApi } from './http/api-server.ts';
import type { CallTurns } from './http/call-limit.ts';
import type { MetricsText, ReadinessCheck } from './http/operations-routes.ts';
import { openHttpServer } from './http/server.ts';
import { Closers } from './lib/closers.ts';
import type { Clock } from './lib/clock.ts';
import { LocalPackageStore } from './packages/local-package-store.ts';
import type { HourStore } from './store/hour-store.ts';
import { DEFAULT_WIRE_LIMITS } from './wire/wire-limits.ts';

/** What serving can be told. Plain data, so that it can be handed to another process. */
export type ServingConfig = {
  readonly listen: { readonly host: string; readonly port: number };
  readonly publicUrl?: string | undefined;
  readonly retentionDays: number;
  readonly callsPerSecond: number;
  readonly ingestLimitBytesPerSecond: number;
  readonly maxBodyBytes: number;
  readonly maxDecodedBytes: number;
  readonly maxHeldBytes: number;
  readonly trustedProxies: readonly string[];
};

export type ServingOptions = {
  readonly config: ServingConfig;
  readonly catalog: Catalog;
  readonly store: HourStore;
  readonly packagesRoot: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where the collector's counters are registered. */
  readonly registry: Registry;
  /** What /metrics shows. */
  readonly metrics: MetricsText;
  readonly callLimit: CallTurns;
  readonly readinessChecks: readonly ReadinessCheck[];
};

export type Serving = {
  readonly host: string;
  readonly port: number;
  /** Forgets what is remembered of visitors. */
  forget(): Promise<void>;
  close(): Promise<void>;
};

/** Serves; requests are taken when this returns. @throws ConfigurationError when it cannot listen */
export async function openServing(options: ServingOptions): Promise<Serving> {
  const { config, catalog, store, clock, logger } = options;
  const closers = new Closers();
  try {
    const api = closers.add(
      await openApi({
        ...options,
        packages: await LocalPackageStore.open(options.packagesRoot),
        retentionDays: config.retentionDays,
        publicUrl: config.publicUrl,
      }),
    );
    const collector = new Collector({
      store,
      projects: catalog.projects,
      clientAddresses: new ClientAddresses(config.trustedProxies),
      ingestLimit: new IngestLimit({ clock, bytesPerSecond: config.ingestLimitBytesPerSecond }),
      wireLimits: { ...DEFAULT_WIRE_LIMITS, maxBytes: config.maxBodyBytes, maxDecodedBytes: config.maxDecodedBytes },
      maxHeldBytes: config.maxHeldBytes,
      metrics: new CollectorMetrics(options.registry),
      logger,
    });
    const http = closers.add(
      await openHttpServer({
        listen: config.listen,
        api,
        logger,
        handleCollect: (request, response) => collector.handle(request, response),
      }),
    );
    const forget = (): Promise<void> => {
      collector.forget();
      return Promise.resolve();
    };
    return { host: http.host, port: http.port, forget, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}
