export type { TypedArg } from "./arg.ts";
export { arg, ret } from "./arg.ts";
export type { Effect, EffectSink } from "./effects.ts";
export type { HelperEnv } from "./env.ts";
export type {
  ArgValues,
  CallbackArg,
  HelperDefinition,
  HelperImplementation,
  HelperPlugin,
  KfuncDefinition,
  MapArg,
  MapMemory,
  RawHelper,
  WasmIntrinsic,
  WasmLowering,
} from "./helper.ts";
export { defineHelper, defineKfunc } from "./helper.ts";
export { printHelperPage } from "./helper-page.ts";
export type {
  BpfMap,
  HostSlots,
  MapHost,
  MapRefusal,
  MapSharing,
  MapSlots,
  MapTypePlugin,
  ObjectStorage,
  ProgSlots,
  RingBuffer,
  Status,
  UserRing,
} from "./map.ts";
export { defineMapType, updateFlags } from "./map.ts";
export type { ProgContext, ProgHost, ProgTypePlugin, RunInput } from "./prog-type.ts";
export { defineProgType } from "./prog-type.ts";
export type {
  Clock,
  FibRoute,
  Neighbour,
  NetDevice,
  Network,
  RandomSource,
  Services,
  Task,
} from "./services.ts";
