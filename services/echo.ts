import { createEcho, readEchoSettings } from "./echo/service.ts";
import { run } from "./run.ts";

/** The echo workload: `node --import tsx services/echo.ts`. */
void run({ name: "echo", defaultPort: 8080, readSettings: readEchoSettings, create: createEcho });
