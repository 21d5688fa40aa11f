import { defineConfig } from "vitest/config";

/**
 * `unit` runs in seconds and needs nothing; `local` runs the real Pulumi engine and the real Envoy; `e2e` needs Docker
 * and kind, and makes a cluster.
 */
export default defineConfig({
  test: {
    reporters: ["default"],
    maxWorkers: 2, // files of `local` wait half of their time, and each has processes of its own to wait for
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{bench,cli,components,envoy,host,kube,lib,oci,process,proof,provider,services,toolchain}/**/*.test.ts",
            "test/*.test.ts",
          ],
          testTimeout: 60_000,
          hookTimeout: 120_000, // on a busy machine a compiler takes long
        },
      },
      {
        test: {
          name: "local",
          include: ["test/local/**/*.test.ts"],
          globalSetup: "test/local/setup.ts",
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
