import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** In a process of its own, as Automerge is loaded once for all. */
const PROGRAM = `
import { isWasmInitialized } from '@automerge/automerge/slim'
import { createReplica } from 'tideway'
import { memoryStorage } from 'tideway/adapters/storage/memory'
import { nodeAutomerge } from 'tideway/node'

const seen = [isWasmInitialized()]
const replica = await createReplica({ storage: memoryStorage(), loadAutomerge: nodeAutomerge() })
const handle = await replica.open('a')
handle.change((draft) => ({ ...draft, text: 'one' }))
const { heads } = handle
handle.change((draft) => ({ ...draft, text: 'two' }))
seen.push(isWasmInitialized(), handle.value.text)
seen.push(handle.at(heads).text, isWasmInitialized())
console.log(JSON.stringify(seen))
await replica.close()
`

test('Automerge is loaded when a document needs it, and not before', async () => {
  const args = ['--input-type=module', '--eval', PROGRAM]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: ROOT })
  expect(JSON.parse(stdout)).toEqual([false, false, 'two', 'one', true])
  // Node would warn of a module that is required, were it one that it does not take so.
  expect(stderr).toBe('')
})
