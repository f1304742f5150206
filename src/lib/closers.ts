/** Closes what was opened, in reverse order, and goes on when one fails. */
export class Closers {
  readonly #parts: { close(): unknown }[] = [];
  #closing: Promise<void> | undefined;

  /** Remembers a part and returns it. */
  add<T extends { close(): unknown }>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  /** Closes all parts, last opened first. May be called again. @throws AggregateError with every failure */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const part of this.#parts.toReversed()) {
      try {
        await part.close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'Not everything could be closed.');
  }
}
