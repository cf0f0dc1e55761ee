import { defineConfig } from "tsup";
import { lib } from "../../tooling/build/tsup.ts";

export default defineConfig(lib());
