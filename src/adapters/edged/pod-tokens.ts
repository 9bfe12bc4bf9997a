import type { Clock } from '../../core/interfaces/clock.ts'
import type { Logger } from '../../core/interfaces/logger.ts'
import { asNumber, asObject, asObjects, asText } from './json.ts'
import type { PodView } from './pod-view.ts'

/** What a token for a pod is to say. */
export interface PodTokenAsk {
  readonly namespace: string
  /** The service account that the pod runs as. */
  readonly account: string
  /** What the token ends with. */
  readonly pod: { readonly name: string; readonly uid: string }
  /** Whom it is for; undefined for the API. */
  readonly audience: string | undefined
  readonly seconds: number
}

/** A token that was issued for a pod. */
export interface PodToken {
  readonly token: string
  /** When it ends, in milliseconds since 1970. */
  readonly expiresAtMs: number
}

/**
 * Issues tokens for the pods of a node.
 *
 * @throws when it cannot; the message is told as an event of the pod.
 */
export type IssuePodToken = (ask: PodTokenAsk) => PodToken | Promise<PodToken>

/** What a volume gets: the token, or why there is none. */
export type TokenResult = { readonly token: string } | { readonly problem: string }

const SECONDS_DEFAULT = 3_600
/** A token is replaced when this part of its life is over, or when it is a day old. */
const LIFE_USED_MAX = 0.8
const AGE_MS_MAX = 24 * 3_600_000
/** After a failure it is tried again at this pace, as long as the old one counts. */
const RETRY_MS = 10_000
/** The wall clock may be trimmed by so much without a token being replaced. */
const EARLY_MS = 5_000

interface Held extends PodToken {
  /** By the wall clock, which may be put back behind it: then the token does not count yet. */
  readonly issuedAtMs: number
  readonly refreshAtMs: number
}

/** The tokens of pods: issued when a volume wants one, kept in memory, replaced in time. */
export class PodTokens {
  readonly #issue: IssuePodToken | undefined
  readonly #clock: Clock
  readonly #logger: Logger
  /** By uid of the pod, then by what it asked for. */
  readonly #held = new Map<string, Map<string, Held>>()

  constructor(issue: IssuePodToken | undefined, clock: Clock, logger: Logger) {
    this.#issue = issue
    this.#clock = clock
    this.#logger = logger
  }

  /** The tokens that the volumes of a pod want now, by {@link tokenKey}. */
  async of(pod: PodView): Promise<ReadonlyMap<string, TokenResult>> {
    const found = new Map<string, TokenResult>()
    const before = this.#held.get(pod.uid)
    const held = new Map<string, Held>()
    for (const ask of asksOf(pod)) {
      const key = keyOf(ask)
      const result = await this.#one(ask, before?.get(key))
      if ('problem' in result) found.set(key, result)
      else {
        held.set(key, result)
        found.set(key, { token: result.token })
      }
    }
    if (held.size > 0) this.#held.set(pod.uid, held)
    else this.#held.delete(pod.uid)
    return found
  }

  /** When the first token of a pod has to be replaced; undefined when it has none. */
  refreshAtMs(uid: string): number | undefined {
    const times = [...(this.#held.get(uid)?.values() ?? [])].map((each) => each.refreshAtMs)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** The pod is gone. */
  forget(uid: string): void {
    this.#held.delete(uid)
  }

  async #one(
    ask: PodTokenAsk,
    before: Held | undefined,
  ): Promise<Held | { readonly problem: string }> {
    const nowMs = this.#clock.wallMs()
    const isEarly = before !== undefined && nowMs < before.issuedAtMs - EARLY_MS
    if (before !== undefined && !isEarly && nowMs < before.refreshAtMs) return before
    try {
      if (this.#issue === undefined) throw new Error('this node issues no tokens')
      const issued = await this.#issue(ask)
      const lifeMs = issued.expiresAtMs - nowMs
      const refreshAtMs = nowMs + Math.min(lifeMs * LIFE_USED_MAX, AGE_MS_MAX)
      return { ...issued, issuedAtMs: nowMs, refreshAtMs }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (before === undefined || nowMs >= before.expiresAtMs)
        return { problem: `failed to fetch token: ${why}` }
      this.#logger.warn('the token of a pod could not be replaced', { pod: ask.pod.name, error })
      return { ...before, refreshAtMs: nowMs + RETRY_MS }
    }
  }
}

/** What tells the tokens of one pod apart. */
export function tokenKey(audience: string | undefined, seconds: number): string {
  return `${seconds} ${audience ?? ''}`
}

/** The audience and the life that a volume asks for. */
export function projectionOf(source: PodView['spec']): {
  readonly audience: string | undefined
  readonly seconds: number
} {
  const audience = asText(source['audience'])
  return {
    audience: audience === '' ? undefined : audience,
    seconds: asNumber(source['expirationSeconds']) ?? SECONDS_DEFAULT,
  }
}

function keyOf({ audience, seconds }: PodTokenAsk): string {
  return tokenKey(audience, seconds)
}

function asksOf(pod: PodView): readonly PodTokenAsk[] {
  const asks = new Map<string, PodTokenAsk>()
  const { namespace, name, uid, spec } = pod
  const account = asText(spec['serviceAccountName']) ?? 'default'
  for (const volume of pod.volumes) {
    for (const source of asObjects(asObject(volume['projected'])['sources'])) {
      if (source['serviceAccountToken'] === undefined) continue
      const ask = projectionOf(asObject(source['serviceAccountToken']))
      const { audience, seconds } = ask
      asks.set(tokenKey(audience, seconds), {
        ...{ namespace, account, audience, seconds },
        pod: { name, uid },
      })
    }
  }
  return [...asks.values()]
}
