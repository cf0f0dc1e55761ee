import { hiOf, loOf } from "@tsbpf/base";
import { Scalar } from "../../src/domain/scalar.ts";
import type { Scalar as Parts } from "./model/scalar.ts";

/** Makes a scalar of what is known, without synchronising. */
export const scalarOf = (parts: Parts): Scalar =>
  new Scalar({
    bitsHi: hiOf(parts.tnum.value),
    bitsLo: loOf(parts.tnum.value),
    maskHi: hiOf(parts.tnum.mask),
    maskLo: loOf(parts.tnum.mask),
    sminHi: hiOf(parts.smin),
    sminLo: loOf(parts.smin),
    smaxHi: hiOf(parts.smax),
    smaxLo: loOf(parts.smax),
    uminHi: hiOf(parts.umin),
    uminLo: loOf(parts.umin),
    umaxHi: hiOf(parts.umax),
    umaxLo: loOf(parts.umax),
    s32min: parts.s32min,
    s32max: parts.s32max,
    u32minWord: parts.u32min | 0,
    u32maxWord: parts.u32max | 0,
  });

/** Copies what is known as the model writes it. */
export const toModel = (a: Parts): Parts => ({
  tnum: { value: a.tnum.value, mask: a.tnum.mask },
  smin: a.smin,
  smax: a.smax,
  umin: a.umin,
  umax: a.umax,
  s32min: a.s32min,
  s32max: a.s32max,
  u32min: a.u32min,
  u32max: a.u32max,
});
