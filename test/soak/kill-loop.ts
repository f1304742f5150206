/** Kills the server or parts of it again and again, at times and in ways that the seed decides. */
import { Random } from '../../src/demo/random.ts';
import { hourEndMs, hourOf } from '../../src/events/hour.ts';
import { waitFor } from '../../src/lib/clock.ts';
import type { ScaledClock } from './scaled-clock.ts';
import type { SoakOptions } from './soak-options.ts';
import { KILL_KINDS, type KillKind, type SoakServer } from './soak-server.ts';

export type Kills = Readonly<Record<KillKind, number>>;

/** A kill may aim at the end of an hour, when it is sealed, sorted and exported, if one comes at the right time. */
const AIMED = 0.5;
const AROUND_END_MS = [-1_000, 4_000] as const;
/** What a supervisor waits before it starts a server again. */
const MAX_RESTART_PAUSE_MS = 2_000;

export class KillLoop {
  readonly #counts = Object.fromEntries(KILL_KINDS.map((kind) => [kind, 0])) as Record<KillKind, number>;
  readonly #options: SoakOptions & {
    readonly server: SoakServer;
    readonly clock: ScaledClock;
    readonly onKilled: (kind: KillKind, recoveryMs: number) => void;
  };

  constructor(
    options: SoakOptions & {
      readonly server: SoakServer;
      readonly clock: ScaledClock;
      readonly onKilled: (kind: KillKind, recoveryMs: number) => void;
    },
  ) {
    this.#options = options;
  }

  get counts(): Kills {
    return this.#counts;
  }

  /** Kills until the signal; every process runs again when this returns. */
  async run(signal: AbortSignal): Promise<void> {
    const { server, seed, onKilled } = this.#options;
    const random = new Random(seed);
    for (let sinceKillMs = 0; ;) {
      const kind = random.pick(KILL_KINDS);
      const chosen = random.integer(0, 1_000);
      const pauseMs = random.integer(0, MAX_RESTART_PAUSE_MS);
      await waitFor(this.#drawWaitMs(random, sinceKillMs), signal);
      if (signal.aborted) return;
      const killedAtMs = performance.now();
      await server.kill(kind, pauseMs, chosen);
      this.#counts[kind] += 1;
      sinceKillMs = performance.now() - killedAtMs;
      onKilled(kind, sinceKillMs);
    }
  }

  /** Draws how long to wait, so that the next kill comes in time after the one before, which was so long ago. */
  #drawWaitMs(random: Random, sinceKillMs: number): number {
    const { clock, killEverySeconds } = this.#options;
    const [fromMs, untilMs] = killEverySeconds.map((each) => Math.max(0, each * 1000 - sinceKillMs)) as [
      number,
      number,
    ];
    const drawnMs = fromMs + random.fraction() * (untilMs - fromMs);
    const aimedMs = clock.realMsUntil(hourEndMs(hourOf(clock.nowMs()))) + random.integer(...AROUND_END_MS);
    const isAimed = random.chance(AIMED) && aimedMs >= fromMs && aimedMs <= untilMs;
    return isAimed ? aimedMs : drawnMs;
  }
}
