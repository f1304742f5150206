/**
 * Says which project a request may read.
 *
 * The token is the proof. X-Client-Id adds nothing to it, and some clients leave it out, so an absent one is tolerated; one that
 * is there and wrong means that a script mixes up two projects, and is refused.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Type } from 'typebox';
import type { Catalog, Project } from '../catalog/catalog.ts';

/** The answer to whoever may not read what was asked for; the same in every case, so that it tells nothing. */
export const UNAUTHORIZED_BODY = { message: 'Unauthorized', errors: [] } as const;

/** The schema of `UNAUTHORIZED_BODY`, whose form the API document gives. */
export const UnauthorizedBody = Type.Object({
  message: Type.String({ description: 'Unauthorized.' }),
  errors: Type.Array(Type.String(), { description: 'Empty.' }),
});

/** The word is of the documents; every real client leaves it out. */
const AUTHORIZATION = /^\s*(?:token\s+)?([0-9A-Za-z]{64})\s*$/i;

/** How a path names a project. */
export type ProjectName = { readonly ai: string } | { readonly uid: string };

/** Finds the project of that name if the request's token is a living one of it. */
export async function findAuthorizedProject(
  tokens: Catalog['tokens'],
  request: ProjectName & { readonly headers: IncomingHttpHeaders; readonly nowMs: number },
): Promise<Project | undefined> {
  const token = AUTHORIZATION.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) return undefined;
  const project = await tokens.findProject(token, request.nowMs);
  if (!project || ('ai' in request ? project.ai !== request.ai : project.uid !== request.uid)) return undefined;
  const clientId = request.headers['x-client-id'];
  return clientId === undefined || clientId === project.clientId ? project : undefined;
}
