import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { acceptUpgrades } from '../../../../../../src/adapters/kubernetes/server/streams/accept-upgrades.ts'
import { takeSocket } from '../../../../../../src/adapters/kubernetes/server/streams/upgrade.ts'

const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'

test.each([
  ['refused', 403],
  ['taken over', 101],
])('who waits for the end of an answer that is %s is told once', async (how, code) => {
  const server = createServer()
  const codes: number[] = []
  const told = new Promise<void>((resolve) => {
    acceptUpgrades(server, async (upgrade) => {
      const { response, socket } = upgrade
      response.on('close', () => {
        codes.push(response.statusCode)
        resolve()
      })
      response.statusCode = 403
      if (how === 'refused') response.end('no')
      else takeSocket(upgrade).end(SWITCHED)
      await once(socket, 'close')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const headers = { Connection: 'Upgrade', Upgrade: 'x' }
  const asked = request({ host: '127.0.0.1', port, headers })
  asked.on('upgrade', (_response, socket) => socket.end())
  asked.on('response', (response: IncomingMessage) => response.resume())
  asked.end()
  await told
  server.close()
  await once(server, 'close')
  expect(codes).toEqual([code])
})
