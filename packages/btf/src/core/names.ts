/** Three underscores between other characters start a flavour. */
const FLAVOR = /[^_]___[^_]/g;

/**
 * Returns the part of a name that is compared with kernel names: what precedes its last `___`, which starts a
 * local flavour.
 *
 * @source linux tools/lib/bpf/relo_core.c bpf_core_essential_name_len
 */
export function essentialName(name: string): string {
  let end = -1;
  // Matches may overlap by one character, so each search restarts within the last match.
  FLAVOR.lastIndex = 0;
  for (let match = FLAVOR.exec(name); match !== null; match = FLAVOR.exec(name)) {
    end = match.index + 1;
    FLAVOR.lastIndex = match.index + 1;
  }
  return end < 0 ? name : name.slice(0, end);
}
