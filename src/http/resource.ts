/** Adds a path with the methods it takes, and answers all other methods with 405. */
import type { FastifyInstance, HTTPMethods, RouteHandlerMethod, RouteShorthandOptions } from 'fastify';
import { AppError } from '../errors/app-error.ts';

export type Resource = {
  readonly url: string;
  readonly methods: readonly HTTPMethods[];
  readonly handler: RouteHandlerMethod;
  readonly options?: RouteShorthandOptions;
};

/** What is read with GET can be asked about with HEAD. */
export const READ_METHODS: readonly HTTPMethods[] = ['GET', 'HEAD'];

export function addResource(app: FastifyInstance, { url, methods, handler, options }: Resource): void {
  app.route({ ...options, url, method: [...methods], handler });
  const refuse = (): never => {
    throw new AppError('method_not_allowed', `This path takes ${methods.join(' and ')}.`);
  };
  app.route({
    url,
    method: app.supportedMethods.filter((method) => !methods.includes(method)),
    // Before the body is looked at, which may be of any type.
    onRequest: async (_request, reply) => {
      reply.header('Allow', methods.join(', '));
      return refuse();
    },
    handler: refuse,
  });
}
