/** The version byte that ends the first eight bytes of every segment and run. */
import { AppError } from '../../errors/app-error.ts';
import { shortPath } from './layout.ts';

/**
 * Refuses a file that a newer program has written, which must not pass for a damaged or empty one.
 * @param bytes begins with the eight bytes found
 * @param magic the eight bytes that this program writes
 * @throws AppError format_too_new
 */
export function refuseNewerFile(bytes: Buffer, magic: string, path: string): void {
  const place = magic.length - 1;
  const [found, known] = [bytes[place] ?? 0, magic.charCodeAt(place)];
  if (found <= known || bytes.toString('latin1', 0, place) !== magic.slice(0, place)) return;
  throw new AppError('format_too_new', `The file ${shortPath(path)} has format ${found}; this program knows ${known}.`);
}
