// Stands in the place of the runtime that the compiler would take. The functions are in ../small-runtime.ts: what a file at
// the top of the library exports is known everywhere, as they have to be.
