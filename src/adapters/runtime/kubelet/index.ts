export type { FindKubelet, KubeletAccess } from './access.ts'
export { kubeletLogs } from './logs.ts'
export { type KubeletStreams, kubeletStreams } from './streams.ts'
export { kubeletUsage, type MeasuredPod } from './usage.ts'
