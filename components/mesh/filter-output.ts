import type { Delivery } from "../filter/declared.ts";

/** A filter that works, as the stack's output `filters` has it: what it is, and how to see that it does. */
export interface FilterOutput {
  name: string;
  /** The module's or the script's sha256, hex. */
  digest: string;
  /** How the code came to the proxy. */
  delivery: Delivery;
  /** Its image as the mesh pulls it, where it comes by one: `registry.localhost:5000/meshup/filter@sha256:…`. */
  image?: string;
  /** An address that the filter works on; none where no route leads there. */
  url?: string;
  /** Request headers that lead there, such as `host`. */
  headers?: Record<string, string>;
  /** Response headers that prove it: exact text or `/regex/`. */
  expect: Record<string, string>;
  /** Which of its fields are secret: they are not to be shown. */
  secret?: ("expect" | "headers")[];
}
