/**
 * An ordered, two-way pipe of bytes: a stream inside a connection to a peer, or a socket.
 *
 * Iterating yields what the other side writes, for one consumer, once; the iteration ends when the
 * other side ends its half and throws when the stream is reset. What is not consumed holds the other
 * side back, and {@link write} holds the writer back: neither side buffers without bound.
 */
export interface ByteStream extends AsyncIterable<Uint8Array> {
  /** Resolves when nothing more can come or go. Never rejects. */
  readonly closed: Promise<void>
  /** Takes bytes and resolves when there is room for more. @throws when the stream is over. */
  write(bytes: Uint8Array): Promise<void>
  /** Says that nothing more will be written. What the other side writes still arrives. */
  end(): void
  /** Ends both directions at once, telling the other side why. Harmless when it is over. */
  reset(code: string, message: string): void
}
