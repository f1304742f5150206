/** All guards, in the order of an event's way. */
import { ACCESS_GUARDS } from './access-guards.ts';
import { ARRIVAL_GUARDS } from './arrival-guards.ts';
import { ERASURE_GUARDS } from './erasure-guards.ts';
import { EXPORT_GUARDS } from './export-guards.ts';
import type { Guard } from './guard.ts';
import { HOUR_GUARDS } from './hour-guards.ts';
import { ORDER_GUARDS } from './order-guards.ts';
import { PROOF_GUARDS } from './proof-guards.ts';

export const GUARDS: readonly Guard[] = [
  ...ARRIVAL_GUARDS,
  ...ORDER_GUARDS,
  ...HOUR_GUARDS,
  ...EXPORT_GUARDS,
  ...PROOF_GUARDS,
  ...ACCESS_GUARDS,
  ...ERASURE_GUARDS,
];
