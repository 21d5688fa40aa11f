/** How the sources may depend on each other: read from their imports. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { meshNames } from "../components/mesh/index.ts";
import { root } from "../lib/paths.ts";

/** Each room, and the rooms whose files its own may import. What a person runs is above what it is made of. */
const mayImport: Record<string, string[]> = {
  lib: [],
  proof: ["lib"],
  envoy: ["lib", "process"],
  process: ["lib"],
  kube: ["lib", "proof"],
  services: ["lib"],
  toolchain: ["lib"],
  host: ["lib"],
  provider: ["lib", "envoy", "process", "kube", "proof", "toolchain", "host"],
  components: ["lib", "envoy", "process", "kube", "proof", "toolchain", "provider"],
  "index.ts": ["components"],
  cli: ["lib", "envoy", "process", "kube", "proof", "toolchain", "host", "provider", "components", "index.ts"],
};

/** Nothing that is shipped is made of these. */
const forDevelopers = ["bench", "test", "vitest.config.ts"];

const isTest = (file: string) => /\.test\.ts$|\/(testing|fixtures)\//.test(file);
const roomOf = (file: string) => file.split("/")[0] as string;

/** By file, the files that it imports, types included. */
const imports = readImports();

function readImports(): Map<string, string[]> {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const files = listed
    .toString("utf8")
    .split("\n")
    .filter((file) => /\.(ts|mjs)$/.test(file) && !/^filters?\/|\/assembly\//.test(file))
    .filter((file) => existsSync(join(root, file)));
  return new Map(
    files.map((file) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), "utf8"), true, true);
      const own = importedFiles.map(({ fileName }) => fileName).filter((name) => name.startsWith("."));
      const paths = own.map((name) => normalize(join(dirname(file), name)));
      return [file, [...new Set(paths)].filter((path) => files.includes(path))];
    }),
  );
}

/** What is still to be mended. */
const yetToGo = [
  "kube/diagnose/istio.ts imports provider/filter-ready.ts",
  "kube/diagnose/steps.ts imports provider/types.ts",
  'cli/commands/destroy.ts: "standalone"',
  'cli/commands/push.ts: "standalone"',
  'cli/inspect/cluster.ts: "envoy-gateway"',
  'cli/inspect/cluster.ts: "istio"',
  'kube/controller.ts: "envoy-gateway"',
  'kube/diagnose/diagnose.ts: "envoy-gateway"',
  'kube/diagnose/envoy-gateway.ts: "envoy-gateway"',
  'kube/mesh-proxies.ts: "envoy-gateway"',
];

test("no arrow runs back up", () => {
  const wrong = [...imports].flatMap(([file, imported]) => {
    const room = roomOf(file);
    if (isTest(file) || forDevelopers.includes(room)) return [];
    const allowed = [room, ...(mayImport[room] ?? [])];
    return imported.filter((other) => !allowed.includes(roomOf(other))).map((other) => `${file} imports ${other}`);
  });
  expect(wrong.filter((one) => !yetToGo.includes(one))).toEqual([]);
});

/** Sets whose members are folders, each with a registry beside them. */
const sets = ["components/mesh"];

test("only the registry of a set imports its folders", () => {
  const memberOf = (set: string, file: string) =>
    file.startsWith(`${set}/`) ? (/^([^/]+)\//.exec(file.slice(set.length + 1))?.[1] ?? "") : "";
  const wrong = sets.flatMap((set) =>
    [...imports].flatMap(([file, imported]) => {
      if (isTest(file) || file === `${set}/index.ts` || forDevelopers.includes(roomOf(file))) return [];
      const others = imported.filter((other) => {
        const member = memberOf(set, other);
        return member !== "" && member !== memberOf(set, file);
      });
      return others.map((other) => `${file} imports ${other}`);
    }),
  );
  expect(wrong).toEqual([]);
});

test("no mesh's name stands outside of its folder", () => {
  const wrong = [...imports.keys()].flatMap((file) => {
    if (isTest(file) || forDevelopers.includes(roomOf(file))) return [];
    const text = readFileSync(join(root, file), "utf8");
    if (!meshNames.some((name) => text.includes(name))) return [];
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
    const found: string[] = [];
    const visit = (node: ts.Node) => {
      const text = ts.isStringLiteralLike(node) || ts.isTemplateHead(node) ? node.text : undefined;
      const name = meshNames.find((mesh) => mesh === text);
      if (name !== undefined && !file.startsWith(`components/mesh/${name}/`)) found.push(`${file}: "${name}"`);
      node.forEachChild(visit);
    };
    visit(source);
    return [...new Set(found)];
  });
  expect(wrong.filter((one) => !yetToGo.includes(one))).toEqual([]);
});

test("no files import each other in a circle", () => {
  expect(circles(imports).filter((one) => !yetToGo.includes(one))).toEqual([]);
});

test("a circle is found", () => {
  const graph = new Map([
    ["a", ["b"]],
    ["b", ["c", "d"]],
    ["c", ["a"]],
    ["d", []],
  ]);
  expect(circles(graph)).toEqual(["a b c"]);
});

/** Sets of files each of which leads to all others of its set (Tarjan's strongly connected components). */
function circles(graph: Map<string, string[]>): string[] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const found: string[] = [];
  const visit = (node: string) => {
    order.set(node, order.size);
    lowest.set(node, order.size - 1);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) lowest.set(node, Math.min(lowest.get(node) as number, lowest.get(next) as number));
    }
    if (lowest.get(node) !== order.get(node)) return;
    const members = stack.splice(stack.indexOf(node));
    if (members.length > 1) found.push(members.sort().join(" "));
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return found;
}
