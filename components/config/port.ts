import { z } from "zod";

/** A port of this machine that needs no rights. */
export const port = z.number().int().min(1024).max(65535);
