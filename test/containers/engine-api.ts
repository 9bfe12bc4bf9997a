import { request } from 'node:http'

/** How an engine answered. */
export interface EngineAnswer {
  readonly status: number
  readonly body: string
}

/** Asks a Docker or Podman by its socket, with nothing of what is under test. */
export function askEngine(
  socketPath: string,
  method: string,
  path: string,
  body?: Buffer,
): Promise<EngineAnswer> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined
        ? {}
        : { 'content-type': 'application/x-tar', 'content-length': body.length }
    const asked = request({ socketPath, method, path, headers, agent: false }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces).toString() }),
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })
}
