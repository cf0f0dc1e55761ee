export { checkMapSpec } from "./checks.ts";
export { hashKey } from "./hash/key.ts";
export { kernelMapTypes, mapTypePlugin } from "./kernel-map-types.ts";
export type { GuardOptions } from "./shared/guard.ts";
export { guardMap } from "./shared/guard.ts";
