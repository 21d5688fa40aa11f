// A literal that AssemblyScript lacks: `utf8("…")` is the address of that text in UTF-8, with a NUL at its end. Strings of
// the language itself are UTF-16, each an object of its own: four times the bytes, and code to convert them for the host.

import { Node, NodeKind, Token } from "assemblyscript";
import { Transform } from "assemblyscript/transform";

/** Rewrites `utf8("…")` to `Utf8.literals + OFFSET`, and `utf8()` to all of these literals (filter/compat/utf8.ts). */
export default class Utf8Literals extends Transform {
  /** @param {import("assemblyscript").Parser} parser */
  afterParse(parser) {
    const sources = parser.sources.filter(({ text }) => text.includes("utf8("));
    const all = sources.flatMap((source) => [...calls(source)]);
    const literals = all.filter(({ args }) => args.length > 0);
    const texts = literals.map((call) => Buffer.from(`${textOf(call)}\0`, "utf8"));
    let block = Buffer.alloc(0);
    // The longest first: what another one ends with is there already.
    for (const bytes of [...texts].sort((a, b) => b.length - a.length))
      if (!block.includes(bytes)) block = Buffer.concat([block, bytes]);
    for (const [i, call] of literals.entries()) place(call, block.indexOf(texts[i]));
    for (const call of all.filter(({ args }) => args.length === 0)) layOut(block, call);
  }
}

/** Every call of `utf8` below a node of the syntax tree. */
function* calls(node) {
  if (node.kind === NodeKind.Call && node.expression.kind === NodeKind.Identifier && node.expression.text === "utf8")
    yield node;
  for (const child of Object.values(node).flat()) if (child instanceof Node) yield* calls(child);
}

function textOf({ args: [literal], range }) {
  if (typeof literal.value === "string") return literal.value;
  const { normalizedPath } = range.source;
  throw new Error(`${normalizedPath}(${range.source.lineAt(range.start)}): utf8() takes a string literal`);
}

/** Makes the call `changetype<usize>(Utf8.literals + OFFSET)`. */
function place(call, offset) {
  const { range } = call;
  call.expression = name("changetype", range);
  call.typeArguments = [type("usize", range)];
  const literals = member("Utf8", "literals", range);
  call.args = [Node.createBinaryExpression(Token.Plus, literals, number(offset, range), range)];
}

/** Makes the call `memory.data<u8>([…], 1)`. */
function layOut(block, call) {
  const { range } = call;
  const bytes = [...block].map((byte) => number(byte, range));
  call.expression = member("memory", "data", range);
  call.typeArguments = [type("u8", range)];
  call.args = [Node.createArrayLiteralExpression(bytes, range), number(1, range)];
}

function member(object, property, range) {
  return Node.createPropertyAccessExpression(name(object, range), name(property, range), range);
}

function name(text, range) {
  return Node.createIdentifierExpression(text, range);
}

function type(text, range) {
  return Node.createNamedType(Node.createSimpleTypeName(text, range), null, false, range);
}

function number(value, range) {
  return Node.createIntegerLiteralExpression(globalThis.i64_new(value, 0), range);
}
