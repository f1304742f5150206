/**
 * Says whether a file cannot be read any more, however often it is tried. One hour's damage is that hour's own error: whoever only
 * needs something of a neighbouring hour does without it then.
 */
import { isSystemError } from '../../lib/system-error.ts';

/** What such a file is refused with. By its code: an error of a worker thread has lost its class. */
const DAMAGE_CODES = [
  'store_corrupt',
  'format_too_new',
  'EIO',
  'EISDIR',
  'ENOTDIR',
  'EACCES',
  'EPERM',
  'EBADMSG',
  'EUCLEAN',
];

export function isLastingDamage(error: unknown): boolean {
  return DAMAGE_CODES.some((code) => isSystemError(error, code));
}
