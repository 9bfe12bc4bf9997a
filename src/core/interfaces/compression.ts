/**
 * Makes messages smaller on the wire. Core has none: a runtime injects its own.
 *
 * Both methods may answer at once or with a promise; messages keep their order either way. What they
 * are given stays as it is until the answer.
 */
export interface Compression {
  /** For logs, such as `deflate-raw`. */
  readonly name: string
  /**
   * What both sides call it: 1 is raw DEFLATE (RFC 1951), 2 is Brotli (RFC 7932). Numbers from 64 on are
   * for private use, up to 255.
   */
  readonly number: number
  /** The bytes in a shorter form. It may come out longer: then the message goes out as it is. */
  compress(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>
  /**
   * What {@link compress} was given.
   *
   * Throws, or rejects, when the bytes are damaged or stand for more than `bytesMax` bytes, before it
   * has taken more memory than that.
   */
  decompress(bytes: Uint8Array, bytesMax: number): Uint8Array | Promise<Uint8Array>
}
