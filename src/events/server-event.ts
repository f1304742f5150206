/**
 * Server events name a login user and no visitor. Visitor and session are those of the last page with the same login user, which
 * may come later than the event's own request is mapped, and to another collector: so the store finds them after the seal
 * (store/hour-log/link-server-events.ts). Here they are marked for it.
 */
import type { WireObject } from './column-sources.ts';
import type { Extras } from './event-row.ts';
import { digestOfText } from './ids.ts';
import { widthOf } from './row-encoder.ts';
import { cutText, readText } from './wire-value.ts';

const LOGIN_WIDTH = widthOf('page', 'loginUserId');

/** Says whether an event is a server's and names no visitor of its own. */
export function lacksVisitor(pathWord: string, event: WireObject): boolean {
  return pathWord === 's2s' && (event.u === undefined || event.u === null || event.u === '');
}

/** Gives what is kept beside a server event until it has its visitor. */
export function unlinkedExtras(event: WireObject, timeMs: number): Extras {
  return { tm: String(timeMs), ...loginExtras(event) };
}

/**
 * Gives what tells a login user apart whose column is too narrow for it: users are compared whole. Nothing for all others, who are
 * told apart by the column itself.
 */
export function loginExtras({ cs1 }: WireObject): Record<string, string> {
  if (cs1 === undefined || cs1 === null || (typeof cs1 === 'string' && cs1.length <= LOGIN_WIDTH)) return {};
  const login = readText(cs1) ?? '';
  return cutText(login, LOGIN_WIDTH) === login ? {} : { login: digestOfText(login) };
}
