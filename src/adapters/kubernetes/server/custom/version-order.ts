const VERSION = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/

interface Version {
  readonly major: number
  /** 2 for a release, 1 for a beta, 0 for an alpha. */
  readonly stage: number
  readonly minor: number
}

function parse(name: string): Version | undefined {
  const match = VERSION.exec(name)
  if (match === null) return undefined
  const [, major = '0', stage, minor = '0'] = match
  return {
    major: Number(major),
    stage: stage === undefined ? 2 : stage === 'beta' ? 1 : 0,
    minor: Number(minor),
  }
}

/** Orders versions as Kubernetes prefers them: `v2`, `v1`, `v2beta1`, `v1alpha1`, then others by name. */
export function byVersionPriority(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)]
  if (left === undefined || right === undefined) {
    if (left !== right) return left === undefined ? 1 : -1
    return a < b ? -1 : a > b ? 1 : 0
  }
  return right.stage - left.stage || right.major - left.major || right.minor - left.minor
}
