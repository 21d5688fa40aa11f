/** How the sources may depend on each other: read from their imports. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { meshNames } from "../components/mesh/index.ts";
import { inspector } from "../components/mesh/inspectors.ts";
import { root } from "../lib/paths.ts";

/** Each room, and the rooms whose files its own may import. What a person runs is above what it is made of. */
const mayImport: Record<string, string[]> = {
  lib: [],
  process: ["lib"],
  envoy: ["lib", "process"],
  kube: ["lib"],
  proof: ["lib"],
  services: ["lib"],
  oci: ["lib"],
  toolchain: ["lib", "oci"],
  host: ["lib"],
  provider: ["lib", "process", "envoy", "kube", "proof", "toolchain", "host"],
  components: ["lib", "process", "envoy", "kube", "proof", "oci", "toolchain", "provider"],
  "index.ts": ["components"],
  cli: ["lib", "process", "envoy", "kube", "proof", "toolchain", "host", "provider", "components", "index.ts"],
};

/** Nothing that is shipped is made of these. */
const forDevelopers = ["bench", "test", "vitest.config.ts"];

/** Sets whose members are folders, each with its registries beside them. */
const sets = {
  "components/mesh": ["index.ts", "inspectors.ts"],
  "components/cluster": ["index.ts", "resources.ts", "kind-command.ts"],
  toolchain: ["index.ts"],
};

const isTest = (file: string) => /\.test\.ts$|\/(testing|fixtures)\//.test(file);
const roomOf = (file: string) => file.split("/")[0] as string;
const textOf = (file: string) => readFileSync(join(root, file), "utf8");

/** By file, the files that it imports, types included. */
const imports = readImports();
const shipped = [...imports.keys()].filter((file) => !isTest(file) && !forDevelopers.includes(roomOf(file)));

function readImports(): Map<string, string[]> {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const files = listed
    .toString("utf8")
    .split("\n")
    .filter((file) => /\.(ts|mjs)$/.test(file) && !/^filters?\/|\/assembly\//.test(file))
    .filter((file) => existsSync(join(root, file)));
  return new Map(
    files.map((file) => {
      const { importedFiles } = ts.preProcessFile(textOf(file), true, true);
      const own = importedFiles.map(({ fileName }) => fileName).filter((name) => name.startsWith("."));
      const paths = own.map((name) => normalize(join(dirname(file), name)));
      return [file, [...new Set(paths)].filter((path) => files.includes(path))];
    }),
  );
}

test("no arrow runs back up", () => {
  const wrong = shipped.flatMap((file) => {
    const allowed = [roomOf(file), ...(mayImport[roomOf(file)] ?? [])];
    const others = (imports.get(file) ?? []).filter((other) => !allowed.includes(roomOf(other)));
    // The provider looks into meshes as the commands do.
    const isWrong = (other: string) => !(roomOf(file) === "provider" && isOfComponents(other) && !pulumiIn(other));
    return others.filter(isWrong).map((other) => `${file} imports ${other}`);
  });
  expect(wrong).toEqual([]);
});

const isOfComponents = (file: string) => roomOf(file) === "components";

test("how meshes and clusters are looked into, and their words in the configuration, have nothing of Pulumi", () => {
  const free = /^components\/(mesh|cluster)\/(index|inspectors?|[^/]+\/(index|inspect|names|schema|inspect\/.*))\.ts$/;
  const files = shipped.filter((file) => free.test(file));
  expect(files.length).toBeGreaterThan(15);
  expect(files.flatMap((file) => pulumiIn(file) ?? [])).toEqual([]);
});

/** How a file comes to load Pulumi's SDK, or that of one of its providers; what is loaded only when it is asked for is left out. */
function pulumiIn(file: string, seen = new Set<string>()): string | undefined {
  if (seen.has(file)) return undefined;
  seen.add(file);
  const loaded = [...textOf(file).matchAll(/^(?:import|export)(?! type\b)[^;]*? from "([^"]+)";|^import "([^"]+)";/gm)];
  const names = loaded.map(([, from, bare]) => (from ?? bare) as string);
  const own = names.find((name) => name.startsWith("@pulumi/"));
  if (own) return `${file} loads ${own}`;
  for (const name of names.filter((name) => name.startsWith("."))) {
    const found = pulumiIn(normalize(join(dirname(file), name)), seen);
    if (found) return `${file} → ${found}`;
  }
  return undefined;
}

/** The folder of a set that a file lies in; empty for none. */
function memberOf(set: string, file: string): string {
  return file.startsWith(`${set}/`) ? (/^([^/]+)\//.exec(file.slice(set.length + 1))?.[1] ?? "") : "";
}

test("only the registries of a set import its folders", () => {
  const wrong = Object.entries(sets).flatMap(([set, registries]) =>
    shipped
      .filter((file) => !registries.some((name) => file === `${set}/${name}`))
      .flatMap((file) => {
        const others = (imports.get(file) ?? []).filter((other) => {
          const member = memberOf(set, other);
          return member !== "" && member !== memberOf(set, file);
        });
        return others.map((other) => `${file} imports ${other}`);
      }),
  );
  expect(wrong).toEqual([]);
});

test("each folder of a set is in its registry", () => {
  const left = Object.keys(sets).flatMap((set) => {
    const members = new Set(shipped.map((file) => memberOf(set, file)).filter((member) => member !== ""));
    const listed = (imports.get(`${set}/index.ts`) ?? []).map((file) => memberOf(set, file));
    expect(members.size).toBeGreaterThan(1);
    return [...members].filter((member) => !listed.includes(member)).map((member) => `${set}/${member}`);
  });
  expect(left).toEqual([]);
});

test("each mesh can be looked into", async () => {
  for (const name of meshNames) expect(typeof (await inspector(name)).diagnose).toBe("function");
});

test("no mesh's name stands outside of its folder", () => {
  const wrong = shipped.flatMap((file) => {
    const text = textOf(file);
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
  expect(wrong).toEqual([]);
});

test("no files import each other in a circle", () => {
  expect(circles(imports)).toEqual([]);
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
