import type { ActorId } from '../ids.ts'

/** The one actor of first events: nobody else writes as it. */
export const GENESIS_ACTOR: ActorId = '0000000000000000'
