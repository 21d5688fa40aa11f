// AssemblyScript has no literal for a text in UTF-8. `utf8("…")` is one: toolchain/assemblyscript/utf8-literals.mjs
// rewrites it to a place in these bytes. This file is part of every program.

declare function utf8(): usize;

export class Utf8 {
  /** All literals of the program, one after another. */
  // @ts-ignore: decorator
  @lazy
  static readonly literals: usize = utf8();
}
