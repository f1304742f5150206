/** Adds a path with the methods it takes, and answers all other methods with 405. */
import type { FastifyInstance, HTTPMethods, RouteHandlerMethod, RouteShorthandOptions } from 'fastify';
import { AppError } from '../errors/app-error.ts';

/** What is done for some of a path's methods. */
export type Way = {
  readonly methods: readonly HTTPMethods[];
  readonly handler: RouteHandlerMethod;
  readonly options?: RouteShorthandOptions;
};

export type Resource = Way & { readonly url: string };

/** What is read with GET can be asked about with HEAD. */
export const READ_METHODS: readonly HTTPMethods[] = ['GET', 'HEAD'];

export function addResource(app: FastifyInstance, { url, ...way }: Resource): void {
  addPath(app, url, [way]);
}

/** Adds a path on which different methods do different things. */
export function addPath(app: FastifyInstance, url: string, ways: readonly Way[]): void {
  for (const { methods, handler, options } of ways) app.route({ ...options, url, method: [...methods], handler });
  const taken = ways.flatMap(({ methods }) => methods);
  const refuse = (): never => {
    throw new AppError('method_not_allowed', `This path takes ${taken.join(' and ')}.`);
  };
  app.route({
    url,
    method: app.supportedMethods.filter((method) => !taken.includes(method)),
    // Before the body is looked at, which may be of any type.
    onRequest: async (_request, reply) => {
      reply.header('Allow', taken.join(', '));
      return refuse();
    },
    handler: refuse,
  });
}
