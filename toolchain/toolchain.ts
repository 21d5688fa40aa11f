/** Where a module may lie: a file or a folder of this machine. */
export interface Place {
  /** Absolute. */
  path: string;
  /** As it was written, for messages. */
  name: string;
  isFolder: boolean;
}

/** What a module is made of. */
export interface ModuleSource {
  /** What makes it: the toolchain's name. */
  kind: string;
  /** Absolute; what `resolveModule` finds the same source by. */
  path: string;
  /** sha256 (hex) over all that goes into the module: sources, libraries, versions, options. */
  sourceHash: string;
  /** The module's bytes. @throws UserError with the toolchain's own words */
  build(): Promise<Uint8Array>;
}

/** What `npm run new -- NAME` writes, and what the declaration of such a filter says besides. */
export interface Template {
  /** The text of each file, by its path in the filter's folder: source, and cases that it passes. */
  files: Record<string, string>;
  /** The root id that it registers. */
  rootId: string;
  config: Record<string, string>;
}

/** What makes modules of one kind of source. One folder for each beside this file; index.ts lists them. */
export interface Toolchain {
  /** As its folder is named. */
  name: string;
  /** What it takes, in words that go on after "A module is". */
  takes: string;
  /** The files that it knows a folder of its own by, in words; none: it takes no folders. */
  looksFor?: string;
  recognises(place: Place): Promise<boolean>;
  /**
   * Reads what goes in, and builds nothing.
   * @param place one that it recognises
   * @throws UserError what is wrong with it
   */
  resolve(place: Place): Promise<ModuleSource>;
  /** Of a new filter; none: there is nothing to write. @param name a DNS label */
  template?(name: string): Template;
}
