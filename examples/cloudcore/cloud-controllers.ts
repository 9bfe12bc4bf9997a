import { type Logger, type Replica, systemClock, systemRandom } from 'tideway'
import {
  type Controller,
  createDefinitionController,
  createDisruptionController,
  createGarbageCollector,
  createLeaseGate,
  createNamespaceController,
  createNodeLifecycle,
  createQuotaController,
  createReplicaSetController,
  createScheduler,
  createVolumeProtection,
} from 'tideway/adapters/kubernetes/controllers'
import { bootstrapObjects, reconcileBootstrap } from 'tideway/adapters/kubernetes/identity'
import type { ObjectStore } from 'tideway/adapters/kubernetes/objects'
import { admittedStore, createAddressRepair } from 'tideway/adapters/kubernetes/server'
import type { Teardown } from '../shared/lifetime.ts'
import type { CloudSettings } from './cloud-settings.ts'

/**
 * Starts the controllers of the cloud. Those that kube-controller-manager and kube-scheduler have too
 * rest while one of these holds its lease.
 */
export function startControllers(
  settings: CloudSettings,
  store: ObjectStore,
  replica: Replica,
  logger: Logger,
  teardown: Teardown,
): void {
  const parts = { store, clock: systemClock, random: systemRandom, logger }
  if (settings.scheduler) {
    const scheduler = createLeaseGate({
      ...parts,
      lease: 'kube-scheduler',
      start: () => [createScheduler(parts)],
    })
    teardown.add('scheduler', () => scheduler.close())
  }
  // Each controller of a kube-controller-manager may ask under a name of its own, whose role it needs.
  const giveRoles = (): void => {
    reconcileBootstrap(store, bootstrapObjects(true)).catch((error: unknown) =>
      logger.error('the roles of kube-controller-manager could not be made', { error }),
    )
  }
  if (settings.controllers) {
    const controllers = createLeaseGate({
      ...parts,
      lease: 'kube-controller-manager',
      start: () => ownControllers(parts),
      onHeld: giveRoles,
    })
    teardown.add('controllers', () => controllers.close())
  } else giveRoles()
  // The API server of Kubernetes does this itself, so no other program may hold its place.
  const definitions = createDefinitionController(parts)
  teardown.add('definitions of kinds', () => definitions.close())
  const addresses = createAddressRepair(parts)
  teardown.add('addresses of services', () => addresses.close())
  const lifecycle = createNodeLifecycle(parts)
  teardown.add('node life cycle', () => lifecycle.close())
  const stop = replica.onSignal('lease/', ({ key, value, peer }) => {
    if (value !== undefined && key === `lease/${peer}`) lifecycle.beat(peer)
  })
  teardown.add('heartbeats', stop)
}

function ownControllers(parts: Parameters<typeof createScheduler>[0]): readonly Controller[] {
  return [
    createNamespaceController(parts),
    // A replica set whose template names a node is run by that node, also while it is cut off.
    createReplicaSetController({
      ...parts,
      store: admittedStore(parts.store, parts),
      runs: (node) => node === undefined || node === '',
    }),
    createQuotaController(parts),
    createDisruptionController(parts),
    createGarbageCollector(parts),
    createVolumeProtection(parts),
  ]
}
