import { expect, test } from 'vitest'
import { withCluster } from '../cluster/cluster.ts'
import {
  type AcceptedLine,
  type CommandFile,
  differingLines,
  type KubectlCommand,
  outputLines,
  readAcceptedLines,
  readCommands,
} from '../cluster/golden/kubectl/command-files.ts'
import { CLUSTER_HINT, findPrograms } from '../cluster/programs.ts'
import { kubectlFor, type RunKubectl } from '../support/api-server.ts'
import { startIdentityServer } from '../support/identity-server.ts'
import { findKubectls, KUBECTL_HINT, type Kubectl } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'

const kubectls = await findKubectls()

/** Some two hundred programs are started for each server. */
const LIMIT_MS = 400_000

/** With this set, every kubectl of the machine is tried with all commands, not only the oldest and the newest. */
const TRIES_ALL = process.env['GOLDEN_KUBECTLS'] === 'all'

/** The releases between them that are tried with fewer commands: those with which much changed. */
const BETWEEN = /^v1\.(?:32|33|35)\./

test(
  'kubectl prints the same of a real kube-apiserver and of this one',
  async (context) => {
    const programs = await findPrograms()
    skipUnless(context, programs !== undefined, 'kube-apiserver', CLUSTER_HINT)
    skipUnless(context, kubectls.length > 0, 'kubectl', KUBECTL_HINT)
    if (programs === undefined) return
    const accepted = await readAcceptedLines()
    const met = new Set<AcceptedLine>()
    const differing: string[] = []
    let count = 0
    await withCluster({ programs }, async (cluster) => {
      const ours = await startIdentityServer()
      try {
        for (const { kubectl, file } of chosen()) {
          const name = kubectl.version.replace(/^v1\.(\d+).*$/, '$1')
          const commands = await readCommands(file, name)
          const sides = {
            real: kubectlFor(cluster, kubectl.path),
            ours: asRoot(kubectlFor(ours.api, kubectl.path)),
          }
          for (const command of commands) {
            count += 1
            const lines = (await differences(command, sides, name)).filter((line) => {
              const entry = accepted.find((item) => fits(item, command.line, line))
              if (entry !== undefined) met.add(entry)
              return entry === undefined
            })
            if (lines.length > 0)
              differing.push(
                [`kubectl ${kubectl.version} ${command.line}`, ...lines].join('\n    '),
              )
          }
        }
      } finally {
        await ours.close()
      }
    })
    console.warn(`kubectl: ${count - differing.length} of ${count} commands print the same`)
    expect(differing.join('\n'), 'outputs that differ (- real, + ours)').toBe('')
    const unmet = accepted.filter((entry) => !met.has(entry)).map((entry) => entry.reason)
    expect(unmet.join('\n'), 'accepted lines that no command prints any more').toBe('')
  },
  LIMIT_MS,
)

/** The root of our server, who may do anything as the tester of the cluster may. */
function asRoot(run: RunKubectl): RunKubectl {
  return (args, options) => {
    // What comes after `--` is no longer for kubectl.
    const end = args.indexOf('--')
    const place = end < 0 ? args.length : end
    return run([...args.slice(0, place), '--token=token-of-root', ...args.slice(place)], options)
  }
}

interface Chosen {
  readonly kubectl: Kubectl
  readonly file: CommandFile
}

function chosen(): readonly Chosen[] {
  const isWhole = (kubectl: Kubectl): boolean =>
    TRIES_ALL || kubectl === kubectls[0] || kubectl === kubectls.at(-1)
  return kubectls.flatMap((kubectl): readonly Chosen[] => {
    if (isWhole(kubectl)) return [{ kubectl, file: 'commands.yaml' }]
    return BETWEEN.test(kubectl.version) ? [{ kubectl, file: 'commands-between.yaml' }] : []
  })
}

async function differences(
  { args, input, editor }: KubectlCommand,
  sides: { readonly real: RunKubectl; readonly ours: RunKubectl },
  name: string,
): Promise<readonly string[]> {
  const options = {
    ...(input === undefined ? {} : { input }),
    ...(editor === undefined ? {} : { editor }),
  }
  const [real, ours] = await Promise.all([sides.real(args, options), sides.ours(args, options)])
  return differingLines(outputLines(real, name), outputLines(ours, name))
}

function fits({ line, command }: AcceptedLine, typed: string, found: string): boolean {
  return new RegExp(line).test(found) && (command === undefined || new RegExp(command).test(typed))
}
