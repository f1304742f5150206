/** What the system's error codes mean: tells them apart, and puts them into words. */

/** Says whether an unknown thrown value is the system error of this code, such as ENOENT. */
export function isSystemError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Faults of the machine that pass when somebody frees what is used up, and then without any other cure. */
const PASSING_FAULTS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EMFILE: 'this process has too many files open',
  ENFILE: 'this machine has too many files open',
  EROFS: 'the file system is read-only',
  ERR_WORKER_INIT_FAILED: 'a worker thread could not start',
};

const OTHER_FAULTS: Readonly<Record<string, string>> = {
  EIO: 'the disk failed to read or write',
  EACCES: 'this user may not do so',
  EPERM: 'this user may not do so',
  ENOTDIR: 'a file stands where a folder should be',
  EEXIST: 'a file stands where a folder should be',
  ELOOP: 'its links go round in a circle',
  ENAMETOOLONG: 'the name is too long',
};

/** Says whether trying again may help as soon as the machine has room again, however long that takes. */
export function isPassingFault(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code) in PASSING_FAULTS;
}

/** Puts the reason of a failed file operation into words that fit behind a colon; anything else keeps its message. */
export function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  const words = PASSING_FAULTS[code] ?? OTHER_FAULTS[code];
  return words === undefined ? error.message.replace(/\.$/, '') : `${words} (${code})`;
}

/** Says the same with the file that it was about, where the error knows it. */
export function describeFaultOfFile(error: unknown): string {
  const words = describeFault(error);
  const path = error instanceof Error && 'path' in error ? String(error.path) : '';
  return path === '' || words.includes(path) ? words : `${path}: ${words}`;
}
