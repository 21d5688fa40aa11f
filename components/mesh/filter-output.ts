import type { ShownFilter } from "../../proof/output.ts";
import type { Delivery } from "../filter/declared.ts";

/** A filter that works, as the stack's output `filters` has it: what it is, and how to see that it does. */
export interface FilterOutput extends ShownFilter {
  /** The module's or the script's sha256, hex. */
  digest: string;
  /** How the code came to the proxy. */
  delivery: Delivery;
  /** Its image as the mesh pulls it, where it comes by one: `registry.localhost:5000/meshup/filter@sha256:…`. */
  image?: string;
}
