import { type Reply, replyText } from './respond.ts'

/** What is looked at. That an answer comes at all is all there is to find out. */
const CHECKS: readonly string[] = ['ping']

const PATH = /^\/(?<name>healthz|livez|readyz)(?:\/(?<check>[^/]+))?$/

/**
 * The answer about health: `ok`, or with `verbose` a line for each check. `exclude` leaves checks out; a
 * path may name one of them.
 *
 * @param path without a slash at its end.
 * @returns undefined for another path, and for a check that there is not.
 */
export function answerHealth(path: string, query: URLSearchParams): Reply | undefined {
  const { name, check } = PATH.exec(path)?.groups ?? {}
  if (name === undefined) return undefined
  if (check !== undefined) return CHECKS.includes(check) ? replyText('ok') : undefined
  if (!query.has('verbose')) return replyText('ok')
  const left = new Set(query.getAll('exclude'))
  const lines = CHECKS.map((text) => `[+]${text} ${left.delete(text) ? 'excluded: ' : ''}ok\n`)
  const unknown = [...left].map((text) => JSON.stringify(text)).join(',')
  const warning =
    left.size === 0
      ? ''
      : `warn: some health checks cannot be excluded: no matches for ${unknown}\n`
  return replyText(`${lines.join('')}${warning}${name} check passed\n`)
}
