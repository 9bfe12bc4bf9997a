export { RESTART_BACKOFF, type RestartBackoff } from './backoff.ts'
export { createEdged, type Edged, type EdgedOptions } from './edged.ts'
