/**
 * Puts the API together: its routes, and what holds for all of them. Listens nowhere itself; server.ts hands requests over.
 */
import { fastify, type FastifyInstance } from 'fastify';
import type { BaseLogger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { SettingDefaults } from '../catalog/project-settings.ts';
import type { Clock } from '../lib/clock.ts';
import type { RejectedSource } from '../exports/rejected-events.ts';
import type { PackageReader } from '../packages/package-store.ts';
import type { HourStore } from '../store/hour-store.ts';
import { LinkSigner } from '../packages/signed-link.ts';
import { addAdsRoutes } from './ads-routes.ts';
import { answerError, answerUnroutable, unknownPathError } from './api-errors.ts';
import type { CallTurns } from './call-limit.ts';
import { addDownloadRoute } from './download-route.ts';
import { addErasureRoutes } from './erasure-routes.ts';
import { addInsightsRoutes } from './insights-routes.ts';
import { addLegacyRoutes } from './legacy-routes.ts';
import { addManifestRoutes } from './manifest-routes.ts';
import { addOperationsRoutes, type MetricsText, type ReadinessCheck } from './operations-routes.ts';
import { addRejectedRoutes } from './rejected-routes.ts';
import { REQUEST_ID_HEADER, RequestIds } from './request-id.ts';
import { addRuleRoutes } from './rule-routes.ts';
import { addSettingsRoute } from './settings-route.ts';
import { addTokenRoute } from './token-route.ts';

export type ApiOptions = {
  readonly catalog: Catalog;
  readonly packages: PackageReader;
  readonly clock: Clock;
  readonly logger: BaseLogger;
  readonly metrics: MetricsText;
  readonly readinessChecks: readonly ReadinessCheck[];
  readonly callLimit: CallTurns;
  readonly retentionDays: number;
  /** The server's options, which hold where a project has no setting. */
  readonly settingDefaults: SettingDefaults;
  /** Makes ended hours ready to read, and reads them. */
  readonly store: Pick<HourStore, 'prepare'>;
  readonly reader: RejectedSource;
  /** App schemes that a tracking link may lead to. */
  readonly linkSchemes: readonly string[];
  /** Base of the links. Default: what each client's Host header says. */
  readonly publicUrl?: string | undefined;
};

/** A link's folder is the longest part of any path: 50 + 64 + 20 letters and what is between. */
const MAX_PARAM_LENGTH = 256;

/** Builds the API. `close` of what it returns ends it, after the server that hands requests over has been closed. */
export async function openApi(options: ApiOptions): Promise<FastifyInstance> {
  const { logger } = options;
  const requestIds = new RequestIds();
  const app = fastify({
    logger: false, // failures are logged in api-errors.ts
    requestIdHeader: REQUEST_ID_HEADER, // server.ts has set it, checked
    genReqId: () => requestIds.next(),
    exposeHeadRoutes: false,
    // Scripts whose base URL ends with a slash send two in a row, and the original's proxy forgave it.
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreDuplicateSlashes: true },
    // Fastify's own default drops parameters that a schema does not know; ours are refused.
    ajv: { customOptions: { removeAdditional: false } },
    frameworkErrors: (error, request, reply) => answerUnroutable(logger, error, request, reply),
  });
  app.removeAllContentTypeParsers();
  app.setErrorHandler((error, request, reply) => answerError(logger, error, request, reply));
  // In a hook, because a body of a strange type must not turn a 404 into a 415.
  app.addHook('onRequest', (request, _reply, next) => next(request.is404 ? unknownPathError(request) : undefined));

  const linkSigner = new LinkSigner({ linkKey: options.catalog.serverKeys.linkKey });
  addTokenRoute(app, options);
  addInsightsRoutes(app, { ...options, linkSigner, publicUrl: options.publicUrl });
  addLegacyRoutes(app, { ...options, linkSigner, publicUrl: options.publicUrl });
  addManifestRoutes(app, options);
  addSettingsRoute(app, options);
  addRejectedRoutes(app, options);
  addRuleRoutes(app, options);
  addAdsRoutes(app, options);
  addErasureRoutes(app, options);
  addDownloadRoute(app, { ...options, linkSigner });
  addOperationsRoutes(app, options);
  await app.ready();
  return app;
}
