import { atMost, type Figures, figure, inTurns } from '../harness/result.ts'
import type { Usage } from '../harness/usage.ts'
import type { Row, RowContext } from '../row.ts'

const KB = 1000
const SETTLE_MS = 2_000

/** What a connected peer costs the cloud while nothing happens. */
export const idleRow: Row = {
  name: 'idle',
  about: 'memory of an idle connected peer in the cloud above the bare socket, at 2,000 sockets',
  run: async (context) => {
    const peers = context.quick ? 50 : 2_000
    const runs = context.runs ?? (context.quick ? 1 : 5)
    context.say(`${peers} idle peers`)
    const systems = await inTurns(
      runs,
      {
        tideway: () => idle(context, 'tideway', peers),
        'raw ws': () => idle(context, 'raw', peers),
        'automerge-repo': () => idle(context, 'automerge-repo', peers),
        hocuspocus: () => idle(context, 'hocuspocus', peers),
      },
      context.say,
    )
    const above = (name: string): number =>
      figure(systems, 'tideway', name) - figure(systems, 'raw ws', name)
    const checks = [
      atMost('KB of RSS above the bare socket', above('rssKBPerPeer'), 20),
      atMost('KB of heap above the bare socket', above('heapKBPerPeer'), 20),
    ]
    return [
      {
        row: 'idle',
        title: `idle connected peer in the cloud, at ${peers.toLocaleString('en')} real sockets`,
        target: 'at most 20 KB above the bare socket',
        runs,
        systems,
        checks,
        met: checks.every(({ met }) => met),
        notes: [
          'after a collection on both sides of the difference; the clients are another process',
        ],
      },
    ]
  },
}

async function idle({ programs }: RowContext, system: string, peers: number): Promise<Figures> {
  const cloud = await programs.start(`${system}-cloud`)
  const clients = await programs.start(`${system}-idle`)
  try {
    const { address } = await cloud.call<{ address: string }>('start')
    // One peer that is not counted: what the first connection loads belongs to nobody.
    const first = await programs.start(`${system}-idle`)
    await first.call('connect', { address, peers: 1 })
    await first.kill()
    await settle()
    const before = await cloud.call<Usage>('usage')
    await clients.call('connect', { address, peers })
    await settle()
    const connected = await cloud.call<number>('peers')
    if (connected < peers) throw new Error(`only ${connected} of ${peers} are connected`)
    const after = await cloud.call<Usage>('usage')
    return {
      rssKBPerPeer: (after.rssBytes - before.rssBytes) / peers / KB,
      heapKBPerPeer: (after.heapBytes - before.heapBytes) / peers / KB,
      cloudCpuMsPerPeer: (after.cpuMs - before.cpuMs) / peers,
    }
  } finally {
    await Promise.all([cloud.kill(), clients.kill()])
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
}
