import { networkInterfaces } from 'node:os'

/** Whether to listen there is to listen at every address of the machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** The IPv4 addresses by which others may reach this machine, in the order of its interfaces. */
export function outsideAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return all
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address)
}
