/** Registers and stack slots whose exact value a decision rests on, per frame. */
export class Needs {
  frame = 0;
  private readonly regs = new Int32Array(9);
  private readonly slotsLow = new Int32Array(9);
  private readonly slotsHigh = new Int32Array(9);

  reset(): void {
    this.frame = 0;
    this.regs.fill(0);
    this.slotsLow.fill(0);
    this.slotsHigh.fill(0);
  }
  get isEmpty(): boolean {
    for (let i = 0; i <= this.frame; i++) {
      if (this.regs[i] !== 0 || this.slotsLow[i] !== 0 || this.slotsHigh[i] !== 0) return false;
    }
    return true;
  }
  regMask(frame = this.frame): number {
    return this.regs[frame] as number;
  }
  hasSlots(frame = this.frame): boolean {
    return this.slotsLow[frame] !== 0 || this.slotsHigh[frame] !== 0;
  }
  /** Slots from `base` on, 0 or 32, a bit each. */
  slotMask(base: 0 | 32, frame: number): number {
    return (base === 0 ? this.slotsLow : this.slotsHigh)[frame] as number;
  }
  hasReg(reg: number, frame = this.frame): boolean {
    return (((this.regs[frame] as number) >> reg) & 1) === 1;
  }
  addReg(reg: number, frame = this.frame): void {
    this.regs[frame] = (this.regs[frame] as number) | (1 << reg);
  }
  dropReg(reg: number, frame = this.frame): void {
    this.regs[frame] = (this.regs[frame] as number) & ~(1 << reg);
  }
  hasSlot(spi: number, frame: number): boolean {
    const half = spi < 32 ? this.slotsLow : this.slotsHigh;
    return (((half[frame] as number) >> (spi & 31)) & 1) === 1;
  }
  addSlot(spi: number, frame: number): void {
    const half = spi < 32 ? this.slotsLow : this.slotsHigh;
    half[frame] = (half[frame] as number) | (1 << (spi & 31));
  }
  dropSlot(spi: number, frame: number): void {
    const half = spi < 32 ? this.slotsLow : this.slotsHigh;
    half[frame] = (half[frame] as number) & ~(1 << (spi & 31));
  }
  printRegs(frame = this.frame): string {
    const names: string[] = [];
    for (let i = 0; i < 32; i++) if (this.hasReg(i, frame)) names.push(`r${i}`);
    return names.join(",");
  }
  printSlots(frame = this.frame): string {
    const names: string[] = [];
    for (let spi = 0; spi < 64; spi++) if (this.hasSlot(spi, frame)) names.push(`${-8 * (spi + 1)}`);
    return names.join(",");
  }
}
