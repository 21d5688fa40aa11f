import { defineConfig } from "vitest/config";

/**
 * `unit` runs in seconds and needs nothing; `local` runs the real Pulumi engine and the real Envoy; `e2e` needs Docker
 * and kind, and makes a cluster.
 */
export default defineConfig({
  test: {
    reporters: ["default"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["{bench,cli,components,host,lib,provider,services,toolchain}/**/*.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "local",
          include: ["test/local/**/*.test.ts"],
          globalSetup: "test/local/setup.ts",
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: "test/local/setup.ts",
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 1_200_000,
        },
      },
    ],
  },
});
