/**
 * The protocol versions that this package speaks, newest first, with what each brought.
 *
 * - 1: verified cursors, backfill, check, comparison by ranges, packed messages, signals, streams.
 */
export const PROTOCOL_VERSIONS: readonly number[] = [1]

/** The newest version that both sides speak; undefined when there is none. */
export function chooseVersion(offered: readonly number[]): number | undefined {
  return PROTOCOL_VERSIONS.find((version) => offered.includes(version))
}
