/** Loads Automerge's WebAssembly, and returns when it can be used. */
export type LoadAutomerge = () => void
