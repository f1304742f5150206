/** Imports a package of bench/package.json, whose types are not there before `npm run bench` has installed it. */
export function importPeer(name: string): Promise<unknown> {
  return import(name);
}
