import { z } from "zod";

/** A name that a person gives: of a route, a filter, a workload. */
export const name = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "a name has lower-case letters, digits and dashes (a DNS label)");
