/** Something a run did beyond registers, memory and maps; recorded in order. */
export type Effect =
  | { readonly kind: "printk"; readonly text: string; readonly cpu: number }
  | {
      readonly kind: "redirect";
      /** Interface index, or the map and key that were chosen. */
      readonly target: { readonly ifindex: number } | { readonly map: string; readonly key: bigint };
      readonly flags: bigint;
    }
  | { readonly kind: "perf_event"; readonly map: string; readonly cpu: number; readonly data: Uint8Array }
  | {
      readonly kind: "ringbuf";
      readonly map: string;
      readonly data: Uint8Array;
      readonly isDiscarded: boolean;
    }
  | { readonly kind: "tail_call"; readonly map: string; readonly index: number; readonly prog: string }
  | { readonly kind: "count"; readonly name: string; readonly value: number }
  | { readonly kind: "custom"; readonly name: string; readonly data: unknown };

/** Where effects go. */
export interface EffectSink {
  /** False when nobody listens; callers may then skip building the effect. */
  readonly isOn: boolean;
  record(effect: Effect): void;
}
