export type { LoadOptions } from "./load.ts";
export { loadObject } from "./load.ts";
