import type { BpfMap, Status } from "@tsbpf/plugin";

/** A map that can be read while another thread changes it: what it finds may be wrong then, but it always comes back. */
export interface WatchedMap extends BpfMap {
  /**
   * Says without a change why an update would be refused.
   *
   * @returns the negative error number that `update` would return, or 0 when only `update` can tell.
   */
  refusal(keyAddress: number, flags: number): Status;
}

/** Whether lookups of a map need no lock as long as nothing changed meanwhile. */
export const isWatched = (map: BpfMap): map is WatchedMap => "refusal" in map;
