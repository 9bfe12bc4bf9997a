import { type HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { WebSocket } from 'ws'

/** One socket that many providers may share. */
export function socketTo(url: string): HocuspocusProviderWebsocket {
  return new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket })
}

/** Attaches providers of shared sockets and resolves when the server has everything of each document. */
export async function attachAll(providers: readonly HocuspocusProvider[]): Promise<void> {
  await Promise.all(
    providers.map((provider) => {
      const upToDate = settled(provider)
      provider.attach()
      return upToDate
    }),
  )
}

/** Resolves when the server has acknowledged what it was sent of a document. */
export function settled(provider: HocuspocusProvider): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (provider.synced && !provider.hasUnsyncedChanges) {
        provider.off('synced', look)
        provider.off('unsyncedChanges', look)
        resolve()
      }
    }
    provider.on('synced', look)
    provider.on('unsyncedChanges', look)
  })
}
