/**
 * Released spans by size. A span is reused only for its own size: maps, packets and stacks ask for the same sizes
 * again and again, so splitting and merging would buy nothing.
 */
export class FreeLists {
  private readonly bySize = new Map<number, number[]>();

  give(address: number, bytes: number): void {
    const list = this.bySize.get(bytes);
    if (list === undefined) this.bySize.set(bytes, [address]);
    else list.push(address);
  }

  /** Returns the span of that size released last that is aligned, or undefined. */
  take(bytes: number, align: number): number | undefined {
    const list = this.bySize.get(bytes);
    if (list === undefined) return undefined;
    for (let i = list.length - 1; i >= 0; i--) {
      if ((list[i] as number) % align === 0) return list.splice(i, 1)[0];
    }
    return undefined;
  }

  clear(): void {
    this.bySize.clear();
  }

  save(): ReadonlyMap<number, readonly number[]> {
    return new Map([...this.bySize].map(([bytes, list]) => [bytes, [...list]]));
  }

  restore(saved: ReadonlyMap<number, readonly number[]>): void {
    this.clear();
    for (const [bytes, list] of saved) this.bySize.set(bytes, [...list]);
  }
}
