import { dirname } from "node:path";
import { defaultEngineWorld, findEngine } from "../../cli/engine/engine.ts";
import { findEnvoy } from "../../provider/envoy-binary.ts";

/** Finds (or fetches) the real engine and the real Envoy once for all tests. */
export default async function setup(): Promise<void> {
  const engine = await findEngine(await defaultEngineWorld((line) => console.error(line)));
  process.env.PATH = `${dirname(engine.path)}:${process.env.PATH}`;
  const envoy = await findEnvoy("1.40.0", { env: process.env, platform: process.platform, arch: process.arch });
  process.env.ENVOY_PATH = envoy.path;
}
