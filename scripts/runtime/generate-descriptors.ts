/**
 * Makes the tables of messages under src/adapters/runtime/cri from the protocols beside this script:
 * names and numbers, so that no program has to read a protocol when it starts.
 *
 *     npx tsx scripts/runtime/generate-descriptors.ts
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

const PROTOCOLS = ['cri', 'containerd-events'] as const

for (const name of PROTOCOLS) {
  const source = new URL(`protocols/${name}.proto`, import.meta.url)
  const { root } = protobuf.parse(await readFile(source, 'utf8'))
  const target = new URL(`../../src/adapters/runtime/cri/${name}.json`, import.meta.url)
  await writeFile(target, `${JSON.stringify(root.toJSON())}\n`)
  console.log(fileURLToPath(target))
}
