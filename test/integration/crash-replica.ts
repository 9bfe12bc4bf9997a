import { levelStorage } from '../../src/adapters/storage/level/index.ts'
import { consoleLogger, createReplica, type Replica } from '../../src/index.ts'
import { nodeSha256 } from '../../src/node/index.ts'

/** The replica of one directory, as the process that is killed and the one that looks after it open it. */
export async function openCrashReplica(directory: string): Promise<Replica> {
  return createReplica({
    name: 'crashing',
    storage: await levelStorage({ directory }),
    sha256: nodeSha256(),
    logger: consoleLogger('warn'),
  })
}
