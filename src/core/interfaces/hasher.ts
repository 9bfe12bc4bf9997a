/** Computes SHA-256. Core has one in JavaScript; a runtime with a faster one injects it. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array
