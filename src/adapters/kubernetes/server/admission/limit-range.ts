import { podResources, type ResourceList, resourcesAt } from '../../objects/pod-resources.ts'
import { canonicalQuantity, compareQuantities, parseQuantity } from '../../objects/quantity.ts'
import { mapAt, mapsAt, textAt } from '../../objects/read.ts'
import type { JsonObject, KubeObject } from '../../objects/types.ts'

// The admission of Kubernetes that gives containers resources, and bounds what pods and claims ask for
// (plugin/pkg/admission/limitranger).

const ANNOTATION = 'kubernetes.io/limit-ranger'

/** A new pod with the requests and limits that limit ranges give to containers which say nothing. */
export function withLimitDefaults(pod: KubeObject, ranges: readonly KubeObject[]): KubeObject {
  return ranges.reduce(withDefaultsOf, pod)
}

function withDefaultsOf(pod: KubeObject, range: KubeObject): KubeObject {
  const limits: Record<string, string> = {}
  const requests: Record<string, string> = {}
  for (const limit of limitsOf(range, 'Container')) {
    Object.assign(requests, resourcesAt(limit, 'defaultRequest'))
    Object.assign(limits, resourcesAt(limit, 'default'))
  }
  const told: string[] = []
  const completed = (list: string, kind: string): JsonObject => {
    if (!Array.isArray(mapAt(pod, 'spec')?.[list])) return {}
    const containers = mapsAt(pod, 'spec', list).map((container) => {
      const name = textAt(container, 'name') ?? ''
      const own = mapAt(container, 'resources') ?? {}
      const missing = (given: ResourceList, word: 'requests' | 'limits'): ResourceList => {
        const known = resourcesAt(own, word)
        const added = Object.entries(given).filter(([key]) => known[key] === undefined)
        return Object.fromEntries(added)
      }
      const newRequests = missing(requests, 'requests')
      const newLimits = missing(limits, 'limits')
      const tell = (given: ResourceList, word: string): void => {
        const names = Object.keys(given).sort().join(', ')
        if (names !== '') told.push(`${names} ${word} for ${kind} ${name}`)
      }
      tell(newRequests, 'request')
      tell(newLimits, 'limit')
      const merged = (word: 'requests' | 'limits', given: ResourceList): JsonObject =>
        Object.keys(given).length === 0 ? {} : { [word]: { ...resourcesAt(own, word), ...given } }
      const resources = {
        ...own,
        ...merged('limits', newLimits),
        ...merged('requests', newRequests),
      }
      return { ...container, resources }
    })
    return { [list]: containers }
  }
  const spec = {
    ...mapAt(pod, 'spec'),
    ...completed('containers', 'container'),
    ...completed('initContainers', 'init container'),
  }
  if (told.length === 0) return pod
  const { metadata } = pod
  const annotations = {
    ...metadata.annotations,
    [ANNOTATION]: `LimitRanger plugin set: ${told.join('; ')}`,
  }
  return { ...pod, metadata: { ...metadata, annotations }, spec }
}

function limitsOf(range: KubeObject, type: string): readonly JsonObject[] {
  return mapsAt(range, 'spec', 'limits').filter((limit) => limit['type'] === type)
}

/**
 * Why an object is not within a limit range, in the words of Kubernetes; undefined when it is, or is of
 * a kind that has no limits.
 */
export function limitProblem(
  resource: string,
  object: KubeObject,
  ranges: readonly KubeObject[],
): string | undefined {
  const check = { pods: podProblems, persistentvolumeclaims: claimProblems }[resource]
  if (check === undefined) return undefined
  for (const range of ranges) {
    const problems = [...new Set(check(object, range))]
    if (problems.length > 0) return problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`
  }
  return undefined
}

/** What is asked for, and what may be used at most. */
interface Amounts {
  readonly requests: ResourceList
  readonly limits: ResourceList
}

function podProblems(pod: KubeObject, range: KubeObject): readonly string[] {
  const spec = mapAt(pod, 'spec') ?? {}
  return mapsAt(range, 'spec', 'limits').flatMap((limit) => {
    const type = textAt(limit, 'type') ?? ''
    if (type === 'Container') {
      return [...mapsAt(spec, 'containers'), ...mapsAt(spec, 'initContainers')].flatMap((each) => {
        const requests = resourcesAt(each, 'resources', 'requests')
        const limits = resourcesAt(each, 'resources', 'limits')
        return problemsOf(type, limit, { requests, limits })
      })
    }
    if (type !== 'Pod') return []
    const requests = podResources(spec, 'requests')
    return problemsOf(type, limit, { requests, limits: podResources(spec, 'limits') })
  })
}

function problemsOf(type: string, limit: JsonObject, amounts: Amounts): readonly string[] {
  const each = (
    list: string,
    check: (type: string, name: string, bound: string, amounts: Amounts) => string | undefined,
  ): readonly string[] =>
    Object.entries(resourcesAt(limit, list))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, bound]) => check(type, name, bound, amounts))
      .filter((problem) => problem !== undefined)
  return [
    ...each('min', minProblem),
    ...each('max', maxProblem),
    ...each('maxLimitRequestRatio', ratioProblem),
  ]
}

function minProblem(
  type: string,
  name: string,
  bound: string,
  { requests, limits }: Amounts,
): string | undefined {
  const start = `minimum ${name} usage per ${type} is ${shown(bound)}`
  const request = requests[name]
  const limit = limits[name]
  if (request === undefined) return `${start}.  No request is specified`
  if (compareQuantities(request, bound) < 0) return `${start}, but request is ${shown(request)}`
  if (limit !== undefined && compareQuantities(limit, bound) < 0)
    return `${start}, but limit is ${shown(limit)}`
  return undefined
}

function maxProblem(
  type: string,
  name: string,
  bound: string,
  { requests, limits }: Amounts,
): string | undefined {
  const start = `maximum ${name} usage per ${type} is ${shown(bound)}`
  const request = requests[name]
  const limit = limits[name]
  if (limit === undefined) return `${start}.  No limit is specified`
  if (compareQuantities(limit, bound) > 0) return `${start}, but limit is ${shown(limit)}`
  if (request !== undefined && compareQuantities(request, bound) > 0)
    return `${start}, but request is ${shown(request)}`
  return undefined
}

function ratioProblem(
  type: string,
  name: string,
  bound: string,
  { requests, limits }: Amounts,
): string | undefined {
  const start = `${name} max limit to request ratio per ${type} is ${shown(bound)}`
  const request = parseQuantity(requests[name] ?? '0') ?? 0
  const limit = parseQuantity(limits[name] ?? '0') ?? 0
  if (request === 0) return `${start}, but no request is specified or request is 0`
  if (limit === 0) return `${start}, but no limit is specified or limit is 0`
  const ratio = limit / request
  const max = parseQuantity(bound) ?? 0
  return ratio > max ? `${start}, but provided ratio is ${ratio.toFixed(6)}` : undefined
}

/** A claim is bounded by what it asks for: it has no limits. */
function claimProblems(claim: KubeObject, range: KubeObject): readonly string[] {
  const requests = resourcesAt(claim, 'spec', 'resources', 'requests')
  return limitsOf(range, 'PersistentVolumeClaim').flatMap((limit) => {
    const low = problemsOf('PersistentVolumeClaim', { min: limit['min'] }, { requests, limits: {} })
    const high = Object.entries(resourcesAt(limit, 'max')).map(([name, bound]) => {
      const request = requests[name]
      const start = `maximum ${name} usage per PersistentVolumeClaim is ${shown(bound)}`
      if (request === undefined) return `${start}.  No request is specified`
      return compareQuantities(request, bound) > 0
        ? `${start}, but request is ${shown(request)}`
        : undefined
    })
    return [...low, ...high.filter((problem) => problem !== undefined)]
  })
}

function shown(quantity: string): string {
  return canonicalQuantity(quantity) ?? quantity
}
