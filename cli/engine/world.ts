/** Where an engine is looked for and kept, and which versions will do. */
import { join } from "node:path";

/** The version that is fetched or built where no suitable one is there. */
export const engineVersion = "3.259.0";

/** From this version on the engine reports what it does over gRPC, which is the one way that the CLI listens. */
export const oldestEngine = "3.206.0";

/** Where to look; tests have folders of their own. */
export interface EngineWorld {
  env: NodeJS.ProcessEnv;
  home: string;
  /** Outlives the clone; the built engine is kept here. */
  cacheDir: string;
  /** File that remembers which version each executable has. */
  memory: string;
  /** A line of progress. */
  note: (line: string) => void;
  /** The ways of getting one that is not there, in order. Each gives the executable's path, or throws with the reason. */
  fetchers: { name: string; fetch: (world: EngineWorld) => Promise<string> }[];
}

export function pulumiHome({ env, home }: Pick<EngineWorld, "env" | "home">): string {
  return env.PULUMI_HOME || join(home, ".pulumi");
}

/** Where a built engine is kept. */
export function builtPath(world: Pick<EngineWorld, "cacheDir">): string {
  return join(world.cacheDir, "pulumi", engineVersion, "bin", "pulumi");
}
