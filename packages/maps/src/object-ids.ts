/**
 * Numbers for objects of the host that a map's slots refer to. bpf(2) shows ids of programs and sockets there; these
 * are the map's own, counted from 1 in the order in which it met the objects.
 */
export class ObjectIds {
  private readonly ids = new Map<unknown, number>();

  idOf(object: unknown): number {
    const known = this.ids.get(object);
    if (known !== undefined) return known;
    const id = this.ids.size + 1;
    this.ids.set(object, id);
    return id;
  }
}
