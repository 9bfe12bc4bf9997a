import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { readRefusal } from '../../../../src/adapters/runtime/read-refusal.ts'

/** What is read of a server that announces `length` characters and says `text`. */
async function refusalOf(text: string, length = text.length): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(500, { 'Content-Length': length })
    response.write(text, () => {
      if (text.length < length) response.destroy()
      else response.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ host: '127.0.0.1', port, agent: false }, resolve).on('error', reject).end()
    })
    return await readRefusal(response)
  } finally {
    server.close()
  }
}

test('the words of a refusal are read, and of many the first', async () => {
  expect(await refusalOf(' no such container\n')).toBe('no such container')
  expect(await refusalOf('x'.repeat(5_000))).toBe('x'.repeat(1_000))
})

test('a server that goes before it has said all is no reason to wait', async () => {
  expect(await refusalOf('no such', 1_000)).toBe('no such')
})
