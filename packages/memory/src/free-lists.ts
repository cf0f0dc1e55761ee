/** Released spans by size; a span is reused only for the same size, which map and packet storage always asks for. */
export class FreeLists {
  private readonly bySize = new Map<number, number[]>();

  give(address: number, bytes: number): void {
    const list = this.bySize.get(bytes);
    if (list === undefined) this.bySize.set(bytes, [address]);
    else list.push(address);
  }

  take(bytes: number, align: number): number | undefined {
    const list = this.bySize.get(bytes);
    const idx = list?.findIndex((address) => address % align === 0) ?? -1;
    return idx < 0 ? undefined : list?.splice(idx, 1)[0];
  }
}
