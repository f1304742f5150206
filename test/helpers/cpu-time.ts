/** The processor time of this process: what work costs, however long other processes keep it waiting. */

/** Gives the milliseconds of processor time that this process has used so far, in all its threads. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
