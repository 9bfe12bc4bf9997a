import type { INamespace } from 'protobufjs/light.js'
import { GRPC } from '../../grpc/wire.ts'
import { type ServiceCodec, serviceCodec } from './codec.ts'
import cri from './cri.json' with { type: 'json' }
import { type GrpcChannel, GrpcError } from './grpc.ts'
import { type CriCalls, IMAGE_CALLS } from './messages.ts'

/** How long a call may take unless it says otherwise: what runtimes answer at once they answer in less. */
const TIMEOUT_MS_DEFAULT = 30_000

/** Calls of the Container Runtime Interface, version 1. */
export class CriClient {
  readonly #channel: GrpcChannel
  readonly #runtime: ServiceCodec
  readonly #images: ServiceCodec

  constructor(channel: GrpcChannel) {
    this.#channel = channel
    this.#runtime = serviceCodec(cri as INamespace, 'runtime.v1.RuntimeService')
    this.#images = serviceCodec(cri as INamespace, 'runtime.v1.ImageService')
  }

  /** @throws GrpcError as the runtime answers; `unavailable` when it cannot be reached. */
  async call<Name extends keyof CriCalls>(
    name: Name,
    request: CriCalls[Name]['request'],
    timeoutMs: number = TIMEOUT_MS_DEFAULT,
  ): Promise<CriCalls[Name]['response']> {
    const codec = IMAGE_CALLS.has(name) ? this.#images : this.#runtime
    let answer: Uint8Array | undefined
    await this.#channel.call({
      path: codec.path(name),
      request: codec.encode(name, request),
      timeoutMs,
      onMessage: (message) => {
        answer ??= message
      },
    })
    if (answer === undefined)
      throw new GrpcError(GRPC.internal, `${codec.path(name)}: there is no answer`)
    return codec.decode(name, answer) as CriCalls[Name]['response']
  }
}
