// A declared function is imported from a module of the file's name: that is why this one has a file of its own.

/** Ends the module; the proxy takes it for a crash. */
export declare function proc_exit(code: u32): void;
