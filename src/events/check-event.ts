/**
 * Says why an event cannot be taken. Everything else about an event may be missing or odd and becomes null or is cut; what is
 * refused here has no place in any table (docs/mapping.md lists the reasons).
 */
import type { WireObject } from './column-sources.ts';
import { isEmptyArray, readInteger, readText } from './wire-value.ts';

/** More elements than this in one `e[]` come from no SDK, and each repeats the outer keys in a row of its own. */
export const MAX_ACTION_ELEMENTS = 5_000;

/** Server events: widths and refused ids of the vendor's upload rules. */
const SERVER_TEXT_WIDTH = 255;
const REFUSED_LOGIN_USERS: readonly string[] = ['0', '1', '-1', '{user.id}', 'null', ''];

/** Says whether a value is a JSON object. */
export function isWireObject(value: unknown): value is WireObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Gives the elements of an action: `e`, or where that is missing `elem`, as mini programs 0.8 name the tab that was tapped. */
export function elementsOf(action: WireObject): unknown {
  return action.e ?? action.elem;
}

/** Gives the reason why an event of an exported type is rejected; null when it is taken. `t` was read before. */
export function rejectionOf(event: WireObject, type: string, isServerEvent: boolean): string | null {
  if (isServerEvent) return serverRejectionOf(event, type);
  if (readInteger(event.tm) === null) return 'tm is no whole number of milliseconds';
  if (isBlank(event.u)) return 'u (the visitor) is missing';
  if (type === 'cstm' && isBlank(event.n)) return 'n (the event name) is missing';
  if (type === 'clck' || type === 'chng' || type === 'sbmt') return actionRejectionOf(elementsOf(event));
  return null;
}

function actionRejectionOf(elements: unknown): string | null {
  if (!Array.isArray(elements) || elements.length === 0) return 'e (the elements of an action) is missing or empty';
  if (elements.length > MAX_ACTION_ELEMENTS) return `e has more than ${MAX_ACTION_ELEMENTS} elements`;
  return elements.every(isWireObject) ? null : 'e holds something that is no object';
}

function serverRejectionOf(event: WireObject, type: string): string | null {
  if (type !== 'cstm') return 'a server event must have t "cstm"';
  if (readInteger(event.tm) === null) return 'tm is no whole number of milliseconds';
  const name = readText(event.n);
  if (name === null || name === '') return 'n (the event name) is missing';
  if (codePoints(name) > SERVER_TEXT_WIDTH) return `n is longer than ${SERVER_TEXT_WIDTH} characters`;
  const loginUser = readText(event.cs1);
  if (loginUser === null) return 'cs1 (the login user) is missing';
  if (REFUSED_LOGIN_USERS.includes(loginUser)) return `cs1 "${loginUser}" is no login user`;
  if (loginUser.includes(':')) return 'cs1 holds a colon';
  if (codePoints(loginUser) > SERVER_TEXT_WIDTH) return `cs1 is longer than ${SERVER_TEXT_WIDTH} characters`;
  return variablesRejectionOf(event.var);
}

function variablesRejectionOf(variables: unknown): string | null {
  if (variables === undefined || variables === null || isEmptyArray(variables)) return null;
  if (!isWireObject(variables)) return 'var is no object';
  for (const value of Object.values(variables)) {
    if (value === null || typeof value === 'number') continue;
    if (typeof value !== 'string') return 'var holds a value that is neither text nor number';
    if (codePoints(value) > SERVER_TEXT_WIDTH) return `var holds a text longer than ${SERVER_TEXT_WIDTH} characters`;
  }
  return null;
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function codePoints(text: string): number {
  return text.length <= SERVER_TEXT_WIDTH ? text.length : Array.from(text).length;
}
