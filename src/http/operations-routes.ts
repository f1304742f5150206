/** What operators' tools ask: is the process alive, can it work, and its metrics. */
import type { FastifyInstance } from 'fastify';
import { addResource, READ_METHODS } from './resource.ts';

/** One condition of being ready. */
export type ReadinessCheck = {
  readonly name: string;
  /** Returns what is wrong, in a sentence; undefined when nothing is. Called for every question, so it must be quick. */
  check(): string | undefined;
};

/** The metrics of this process, or of all that serve together. */
export type MetricsText = { readonly contentType: string; metrics(): Promise<string> };

export type OperationsRouteOptions = {
  readonly metrics: MetricsText;
  readonly readinessChecks: readonly ReadinessCheck[];
};

export function addOperationsRoutes(app: FastifyInstance, options: OperationsRouteOptions): void {
  const { metrics, readinessChecks } = options;
  addResource(app, {
    url: '/healthz',
    methods: READ_METHODS,
    handler: (_request, reply) => reply.send({ status: 'alive' }),
  });
  addResource(app, {
    url: '/readyz',
    methods: READ_METHODS,
    handler: (_request, reply) => {
      const checks = readinessChecks.map(runCheck);
      const isReady = checks.every(({ isOk }) => isOk);
      return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not ready', checks });
    },
  });
  addResource(app, {
    url: '/metrics',
    methods: READ_METHODS,
    handler: async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()),
  });
}

function runCheck(readiness: ReadinessCheck): { name: string; isOk: boolean; message?: string } {
  const message = readiness.check();
  return { name: readiness.name, isOk: message === undefined, ...(message !== undefined && { message }) };
}
