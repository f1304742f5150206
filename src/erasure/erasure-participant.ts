/**
 * Whoever keeps something of visitors besides the hour log and the packages of 2.0: device keys, packages of other formats, memories.
 * Everything may be called more than once for the same erasure, and must do no harm then.
 */
import type { ClickOwner, ErasedClick } from '../events/click-owner.ts';
import type { Hour } from '../events/hour.ts';
import type { ErasedActivation } from '../store/hour-log/erase-runs.ts';

export type ErasureParticipant = {
  /** Called before the records of an hour go, while nobody exports it: what was made of them goes too. */
  readonly eraseHour?: (erased: {
    readonly ai: string;
    readonly hour: Hour;
    readonly visitorIds: readonly string[];
    /** The activations (ads_track_activation) that go. */
    readonly activations: readonly ErasedActivation[];
    /** The clicks (ads_track_click) that go. */
    readonly clicks: readonly ErasedClick[];
    /** What is later stays. */
    readonly untilMs: number;
  }) => Promise<void>;
  /** Called when an hour that held something was published anew, or will not be. */
  readonly hourPublished?: (published: { readonly ai: string; readonly hour: Hour }) => Promise<void>;
  /** Called when no hour holds anything of an erasure's visitors any more, before their ids are deleted. */
  readonly forget?: (erased: {
    readonly ai: string;
    readonly visitorIds: readonly string[];
    /** By what the clicks of the visitors are known. */
    readonly owners: readonly ClickOwner[];
    readonly untilMs: number;
  }) => Promise<void>;
  /** Called behind it: leaves no byte in files of what was forgotten. False when something was in the way; then it is tried again. */
  readonly wipe?: () => Promise<boolean>;
  /** Called beside it, and when another process has ended an erasure: whatever of any visitor is remembered goes. */
  readonly forgetAll?: () => Promise<void>;
};
