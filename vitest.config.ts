import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

// Packages resolve each other's sources through this export condition, so tests need no build.
const conditions = ["@tsbpf/source", ...defaultServerConditions];

const project = (name: string, dir: string) => ({
  extends: true as const,
  test: { name, include: [`${dir}/*/test/**/*.test.ts`] },
});

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    reporters: ["default", "./tooling/scripts/tally-reporter.ts"],
    testTimeout: 60_000,
    projects: [
      project("packages", "packages"),
      project("apps", "apps"),
      project("tooling", "tooling"),
      project("examples", "examples"),
    ],
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**/*.ts", "apps/*/src/**/*.ts"],
      reporter: ["text-summary", "lcov", "json-summary"],
    },
  },
});
