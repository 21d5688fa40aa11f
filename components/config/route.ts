import { z } from "zod";
import { name } from "./names.ts";

export const route = z.strictObject({
  name,
  /** Requests at this path and below go to the workload, the path rewritten to `/`. `/` is all of them. */
  path: z.string().regex(/^(\/[A-Za-z0-9._~-]+)+$|^\/$/, 'a path such as "/one", without a slash at its end, or "/"'),
  /** Only requests for this host. Default: any. */
  host: z
    .string()
    .regex(/^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]{2,}$/, 'a host name such as "www.example.com"')
    .optional(),
  /** False leaves the path as it is. */
  rewrite: z.boolean().default(true),
  workload: z.string(),
});

export type Route = z.infer<typeof route>;
