/** A promise of an interface that an implementation does not keep. */
export class ComplianceError extends Error {
  override readonly name = 'ComplianceError'
}

/** Registers one check with a test runner: that of Vitest, `node:test` and others fits. */
export type TestFunction = (name: string, run: () => Promise<void>) => unknown

/** How long something may take before it counts as never, in ms. */
export type DeadlineMs = number

/** @throws ComplianceError with `message` unless `condition` holds. */
export function check(condition: unknown, message: string): asserts condition {
  if (!condition) throw new ComplianceError(message)
}

/** @throws ComplianceError unless both say the same when written as JSON, bytes included. */
export function checkEqual(found: unknown, expected: unknown, what: string): void {
  const left = asText(found)
  const right = asText(expected)
  if (left === right) return
  throw new ComplianceError(`${what}: expected ${short(right)}, found ${short(left)}`)
}

/** The error that `promise` rejects with. @throws ComplianceError when it resolves or never settles. */
export async function rejectionOf(
  promise: Promise<unknown>,
  deadlineMs: DeadlineMs,
  what: string,
): Promise<unknown> {
  const settled = await within(
    promise.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    ),
    deadlineMs,
    what,
  )
  if ('error' in settled) return settled.error
  throw new ComplianceError(`${what}: it resolved, but must reject`)
}

/** What `run` throws. @throws ComplianceError when it returns. */
export function thrownBy(run: () => unknown, what: string): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new ComplianceError(`${what}: it returned, but must throw`)
}

/** @throws ComplianceError unless `error` carries this code of the package's errors. */
export function checkCode(error: unknown, code: string, what: string): void {
  const found = typeof error === 'object' && error !== null && 'code' in error ? error.code : error
  if (found !== code) {
    throw new ComplianceError(
      `${what}: expected an error with code ${code}, found ${String(found)}`,
    )
  }
}

/** What `promise` settles to. @throws ComplianceError when that takes longer than `deadlineMs`. */
export async function within<Value>(
  promise: Promise<Value>,
  deadlineMs: DeadlineMs,
  what: string,
): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new ComplianceError(`${what}: nothing happened for ${deadlineMs} ms`))
    }, deadlineMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Whether `promise` has settled after everything that is due now has run. */
export async function isSettled(promise: Promise<unknown>, afterMs: number = 20): Promise<boolean> {
  const pending = {}
  const later = new Promise((resolve) => {
    setTimeout(() => resolve(pending), afterMs)
  })
  const first = await Promise.race([promise.then(nothing, nothing), later])
  return first !== pending
}

/** Bytes that a mistake in order or length does not leave the same: they depend on `seed` throughout. */
export function patternBytes(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = (seed + 1) * 0x9e37_79b1
  for (let index = 0; index < length; index++) {
    state = Math.imul(state ^ (state >>> 15), 0x85eb_ca6b) + index
    bytes[index] = state >>> 24
  }
  return bytes
}

function nothing(): undefined {
  return undefined
}

function asText(value: unknown): string {
  const text = JSON.stringify(value, (_key, part: unknown) =>
    part instanceof Uint8Array ? `bytes ${part.length}:${hexOf(part)}` : part,
  )
  return text ?? 'undefined'
}

function hexOf(bytes: Uint8Array): string {
  let hex = ''
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0')
  return hex
}

function short(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 300)}...`
}
