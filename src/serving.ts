/**
 * The part of a server that answers HTTP: collector and API on one port. Built in the server's own process, or in each of its
 * collector processes.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Activations } from './ads/activations.ts';
import type { ClickIndex } from './ads/click-index.ts';
import { DeviceKeys } from './ads/device-keys.ts';
import type { Catalog } from './catalog/catalog.ts';
import type { TrackingLink } from './catalog/tracking-link.ts';
import { CollectorMetrics } from './collector/collector-metrics.ts';
import { Collector } from './collector/collector.ts';
import { IngestLimit } from './collector/ingest-limit.ts';
import { LinkRedirect } from './collector/link-redirect.ts';
import { ProjectAddresses } from './collector/project-addresses.ts';
import { hourOf, type Hour } from './events/hour.ts';
import { openApi } from './http/api-server.ts';
import type { CallTurns } from './http/call-limit.ts';
import type { MetricsText, ReadinessCheck } from './http/operations-routes.ts';
import { linkBaseOf } from './http/link-base.ts';
import { openHttpServer } from './http/server.ts';
import { Closers } from './lib/closers.ts';
import type { Clock } from './lib/clock.ts';
import { LocalPackageStore } from './packages/local-package-store.ts';
import { HourLogReader } from './store/hour-log/hour-log-reader.ts';
import type { HourStore } from './store/hour-store.ts';
import { DEFAULT_WIRE_LIMITS } from './wire/wire-limits.ts';

/** What serving can be told. Plain data, so that it can be handed to another process. */
export type ServingConfig = {
  readonly listen: { readonly host: string; readonly port: number };
  readonly publicUrl?: string | undefined;
  readonly retentionDays: number;
  readonly packageBytes: number;
  readonly callsPerSecond: number;
  readonly ingestLimitBytesPerSecond: number;
  /** How many processes share what one project may send; each lets in its share. Default: 1. */
  readonly ingestShares?: number;
  readonly maxBodyBytes: number;
  readonly maxDecodedBytes: number;
  readonly maxHeldBytes: number;
  readonly trustedProxies: readonly string[];
  /** App schemes that a tracking link may lead to. */
  readonly linkSchemes: readonly string[];
};

export type ServingOptions = {
  readonly config: ServingConfig;
  readonly catalog: Catalog;
  readonly store: HourStore;
  readonly storeRoot: string;
  readonly clickIndex: ClickIndex;
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
  const { retentionDays, packageBytes, callsPerSecond: callLimit, trustedProxies, ingestShares = 1 } = config;
  const ingestLimitBytes = config.ingestLimitBytesPerSecond;
  const settingDefaults = { retentionDays, packageBytes, ingestLimitBytes, callLimit, trustedProxies };
  const closers = new Closers();
  try {
    const api = closers.add(
      await openApi({
        ...options,
        packages: await LocalPackageStore.open(options.packagesRoot),
        retentionDays,
        settingDefaults,
        reader: new HourLogReader(options.storeRoot),
        publicUrl: config.publicUrl,
        linkSchemes: config.linkSchemes,
      }),
    );
    // Each request asks for its project first, so what is known is fresh.
    const now = (): Hour => hourOf(clock.nowMs());
    const clientAddresses = new ProjectAddresses(
      (ai) => catalog.settings.known(ai).find('trustedProxies', now()) ?? trustedProxies,
    );
    clientAddresses.of(''); // the server's own list is checked now, not at the first request
    const findLink = (linkId: string): TrackingLink | undefined => {
      const link = catalog.links.find(linkId);
      if (link) catalog.projects.findByAi(link.ai);
      return link;
    };
    const shared = {
      store,
      clientAddresses,
      ingestLimit: new IngestLimit({
        clock,
        bytesPerSecondOf: (ai) =>
          Math.ceil((catalog.settings.known(ai).find('ingestLimitBytes', now()) ?? ingestLimitBytes) / ingestShares),
      }),
      metrics: new CollectorMetrics(options.registry),
      logger,
    };
    const ads = { index: options.clickIndex, keys: new DeviceKeys(catalog.serverKeys.linkKey), findLink, clock };
    const links = new LinkRedirect({ ...shared, ...ads, baseOf: (request) => linkBaseOf(request, config.publicUrl) });
    const collector = new Collector({
      ...shared,
      projects: catalog.projects,
      rules: catalog.rules,
      activations: new Activations({ ...ads, logger }),
      wireLimits: { ...DEFAULT_WIRE_LIMITS, maxBytes: config.maxBodyBytes, maxDecodedBytes: config.maxDecodedBytes },
      maxHeldBytes: config.maxHeldBytes,
    });
    const http = closers.add(
      await openHttpServer({
        listen: config.listen,
        api,
        logger,
        handleCollect: (request, response) => links.handle(request, response) || collector.handle(request, response),
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
