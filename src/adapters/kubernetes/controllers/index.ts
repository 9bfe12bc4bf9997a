/** Controllers: programs that keep objects as other objects ask. Each is level-triggered. */
export { createDefinitionController } from './definitions.ts'
export { createDisruptionController } from './disruption.ts'
export { createGarbageCollector, type GarbageCollectorOptions } from './garbage-collector.ts'
export { createLeaseGate, type LeaseGateOptions } from './lease-gate.ts'
export { createNamespaceController } from './namespace.ts'
export {
  createNodeLifecycle,
  type NodeLifecycle,
  type NodeLifecycleOptions,
} from './node-lifecycle.ts'
export { type Placement, place, requestsOf, type Usage } from './placement.ts'
export { createReplicaSetController, type ReplicaSetOptions } from './replica-set.ts'
export { createQuotaController } from './resource-quota.ts'
export { type Controller, type ControllerOptions, createScheduler } from './scheduler.ts'
export { createVolumeProtection } from './volume-protection.ts'
