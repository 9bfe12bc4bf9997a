import { describe, test } from 'vitest'
import { WebSocket } from 'ws'
import { type TransportPlace, transportSuite } from '../../src/compliance/index.ts'
import type { Transport } from '../../src/core/interfaces/transport.ts'
import { webSocket } from '../../src/transports/websocket/index.ts'
import { nodeWebSocket, webSocketServer } from '../../src/transports/websocket/server.ts'

describe('websocket transport, dialled by Node', () => {
  transportSuite({ test, factory: () => place(nodeWebSocket()) })
})

describe('websocket transport, dialled by a standard WebSocket', () => {
  transportSuite({ test, factory: () => place(webSocket({ webSocket: WebSocket })) })
})

async function place(transport: Transport): Promise<TransportPlace> {
  const listener = await webSocketServer()
  return { transport, listener, dispose: async () => undefined }
}
