import type { Options } from "tsup";

/** Returns the build settings of a browser-safe library: a `node:` import fails the build. */
export const lib = (over: Options = {}): Options => ({
  entry: ["src/index.ts"],
  format: ["esm"],
  target: "es2022",
  platform: "neutral",
  removeNodeProtocol: false,
  silent: true,
  dts: { compilerOptions: { ignoreDeprecations: "6.0" } },
  sourcemap: true,
  clean: true,
  ...over,
});

/** Returns the build settings of a Node application: one bundle, so that it starts fast. */
export const nodeApp = (over: Options = {}): Options => ({
  ...lib(),
  platform: "node",
  target: "node20",
  dts: false,
  entry: ["src/main.ts"],
  ...over,
});
