import type { Json, KubeObject } from '../../objects/types.ts'
import { at, listAt, numberAt, textAt } from '../json.ts'
import { AGE, column, NAME, type Since, since, type TableColumn, textCell } from './column.ts'

const isTrueCondition = (pod: KubeObject, type: string): boolean =>
  listAt(pod, 'status', 'conditions').some(
    (item) => at(item, 'type') === type && at(item, 'status') === 'True',
  )

function statuses(pod: KubeObject): readonly Json[] {
  return listAt(pod, 'status', 'containerStatuses')
}

/** Init containers that keep running beside the others. */
function sidecarNames(pod: KubeObject): ReadonlySet<string> {
  const sidecars = listAt(pod, 'spec', 'initContainers').filter(
    (item) => at(item, 'restartPolicy') === 'Always',
  )
  return new Set(sidecars.map((item) => textAt(item, 'name')))
}

function readyText(pod: KubeObject): string {
  const sidecars = sidecarNames(pod)
  const isReady = (item: Json): boolean =>
    at(item, 'ready') === true && at(item, 'state', 'running') !== undefined
  const beside = listAt(pod, 'status', 'initContainerStatuses').filter((item) =>
    sidecars.has(textAt(item, 'name')),
  )
  const ready = [...statuses(pod).filter(isReady), ...beside.filter(isReady)].length
  return `${ready}/${listAt(pod, 'spec', 'containers').length + sidecars.size}`
}

function terminatedText(state: Json | undefined): string {
  const reason = textAt(state, 'terminated', 'reason')
  if (reason !== '') return reason
  const signal = numberAt(state, 'terminated', 'signal') ?? 0
  return signal !== 0
    ? `Signal:${signal}`
    : `ExitCode:${numberAt(state, 'terminated', 'exitCode') ?? 0}`
}

/** What holds up the init containers, undefined when they are done. */
function initText(pod: KubeObject): string | undefined {
  const sidecars = sidecarNames(pod)
  const all = listAt(pod, 'status', 'initContainerStatuses')
  for (const [index, item] of all.entries()) {
    const state = at(item, 'state')
    const isDone =
      at(state, 'terminated') !== undefined && numberAt(state, 'terminated', 'exitCode') === 0
    const isStarted = sidecars.has(textAt(item, 'name')) && at(item, 'started') === true
    if (isDone || isStarted) continue
    if (at(state, 'terminated') !== undefined) return `Init:${terminatedText(state)}`
    const reason = textAt(state, 'waiting', 'reason')
    if (reason !== '' && reason !== 'PodInitializing') return `Init:${reason}`
    return `Init:${index}/${listAt(pod, 'spec', 'initContainers').length}`
  }
  return undefined
}

function containersText(pod: KubeObject, otherwise: string): string {
  let text = otherwise
  let hasRunning = false
  for (const item of [...statuses(pod)].reverse()) {
    const state = at(item, 'state')
    const waiting = textAt(state, 'waiting', 'reason')
    if (waiting !== '') text = waiting
    else if (at(state, 'terminated') !== undefined) text = terminatedText(state)
    else if (at(item, 'ready') === true && at(state, 'running') !== undefined) hasRunning = true
  }
  if (text === 'Completed' && hasRunning)
    return isTrueCondition(pod, 'Ready') ? 'Running' : 'NotReady'
  return text
}

/**
 * The STATUS of a pod as kubectl shows it: the most telling of its phase, reasons and container
 * states.
 */
export function podStatusText(pod: KubeObject): string {
  const reason = textAt(pod, 'status', 'reason')
  const phase = textAt(pod, 'status', 'phase') || 'Unknown'
  const isGated = listAt(pod, 'status', 'conditions').some(
    (item) => at(item, 'type') === 'PodScheduled' && at(item, 'reason') === 'SchedulingGated',
  )
  const start = reason !== '' ? reason : isGated ? 'SchedulingGated' : phase
  const text = initText(pod) ?? containersText(pod, start)
  if (pod.metadata.deletionTimestamp === undefined) return text
  if (reason === 'NodeLost') return 'Unknown'
  return phase === 'Succeeded' || phase === 'Failed' ? text : 'Terminating'
}

function restartsText(pod: KubeObject): string | Since {
  const sidecars = sidecarNames(pod)
  const init = listAt(pod, 'status', 'initContainerStatuses')
  const isStarting = initText(pod) !== undefined
  const counted = isStarting
    ? init
    : [...statuses(pod), ...init.filter((item) => sidecars.has(textAt(item, 'name')))]
  const restarts = counted.reduce(
    (sum: number, item) => sum + (numberAt(item, 'restartCount') ?? 0),
    0,
  )
  const ends = counted
    .map((item) => textAt(item, 'lastState', 'terminated', 'finishedAt'))
    .filter((time) => time !== '')
    .sort()
  const last = ends[ends.length - 1]
  return restarts === 0 || last === undefined
    ? String(restarts)
    : since(last, `${restarts} (`, ' ago)')
}

function gatesText(pod: KubeObject): string {
  const gates = listAt(pod, 'spec', 'readinessGates')
  if (gates.length === 0) return '<none>'
  const open = gates.filter((gate) => isTrueCondition(pod, textAt(gate, 'conditionType'))).length
  return `${open}/${gates.length}`
}

/** `kubectl get pods`. */
export const POD_COLUMNS: readonly TableColumn[] = [
  NAME,
  column('Ready', 'Containers that are ready, of all.', readyText),
  column('Status', 'What the pod is doing.', podStatusText),
  column('Restarts', 'How often its containers were restarted.', restartsText),
  AGE,
  column(
    'IP',
    'The address of the pod.',
    (pod) =>
      textAt(listAt(pod, 'status', 'podIPs')[0], 'ip') ||
      textAt(pod, 'status', 'podIP') ||
      '<none>',
    { priority: 1 },
  ),
  column('Node', 'The node that runs the pod.', textCell(['spec', 'nodeName'], '<none>'), {
    priority: 1,
  }),
  column(
    'Nominated Node',
    'The node that is being cleared for the pod.',
    textCell(['status', 'nominatedNodeName'], '<none>'),
    { priority: 1 },
  ),
  column('Readiness Gates', 'Conditions that the pod waits for.', gatesText, { priority: 1 }),
]
