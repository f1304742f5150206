/** Shows how far an import or a back-fill is: a bar on a terminal, a line now and then elsewhere. */
import type { BackfillProgress } from '../imports/backfill-tags.ts';
import type { ImportProgress } from '../imports/import-events.ts';

const BAR_WIDTH = 30;
const REDRAW_MS = 100;
const LINE_EVERY_MS = 5_000;

export class ImportProgressPrinter {
  readonly #output: NodeJS.WriteStream;
  readonly #totalBytes: number | undefined;
  #shownAtMs = 0;
  #shown = '';

  constructor(options: { readonly output: NodeJS.WriteStream; readonly totalBytes: number | undefined }) {
    this.#output = options.output;
    this.#totalBytes = options.totalBytes;
  }

  show(progress: ImportProgress | BackfillProgress): void {
    const nowMs = performance.now();
    if (nowMs - this.#shownAtMs < (this.#output.isTTY ? REDRAW_MS : LINE_EVERY_MS)) return;
    this.#shownAtMs = nowMs;
    this.#draw(this.#textOf(progress));
  }

  /** Leaves the terminal's line free for what comes next. */
  end(): void {
    if (this.#output.isTTY && this.#shown !== '') this.#output.write('\r\u001b[K');
  }

  #textOf(progress: ImportProgress | BackfillProgress): string {
    if (progress.step === 'exporting')
      return `${bar(progress.finished / progress.hours)} exporting: ${progress.finished} of ${progress.hours} hours`;
    if (progress.step === 'tagging')
      return `${bar(progress.finished / progress.hours)} tagging: ${progress.finished} of ${progress.hours} hours`;
    const read = `reading: ${progress.events} events, ${(progress.bytes / 1e6).toFixed(1)} MB`;
    return this.#totalBytes === undefined ? read : `${bar(progress.bytes / Math.max(1, this.#totalBytes))} ${read}`;
  }

  #draw(text: string): void {
    if (text === this.#shown) return;
    this.#shown = text;
    this.#output.write(this.#output.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
  }
}

function bar(share: number): string {
  const filled = Math.round(Math.min(1, share) * BAR_WIDTH);
  return `[${'='.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}] ${String(Math.floor(Math.min(1, share) * 100)).padStart(3)} %`;
}
