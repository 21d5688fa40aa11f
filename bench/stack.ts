/** Measures the stack `dev` in a cluster of its own: what `npm run bench:stack` runs. */
import { availableParallelism, loadavg } from "node:os";
import { type Document, isSeq } from "yaml";
import type { Engine } from "../cli/engine/engine.ts";
import type { Terminal } from "../cli/output/terminal.ts";
import { UserError } from "../lib/errors.ts";
import { BenchClone, type Timed } from "./bench-clone.ts";
import { Poller } from "./poller.ts";
import type { Growth, Report, Row } from "./report.ts";
import type { Pair } from "./statistics.ts";
import { longestSteps } from "./steps.ts";
import { time } from "./table.ts";

export const cluster = {
  name: "meshup-bench",
  gatewayPort: 30081,
  registryPort: 5082,
  registryHost: "bench.localhost",
};

/** How often each is measured. */
interface Plan {
  fromNothing: number;
  nothingToDo: number;
  changedFilter: number;
  /** Previews of each size. */
  preview: number;
}

const plans: Record<"whole" | "quick", Plan> = {
  whole: { fromNothing: 3, nothingToDo: 7, changedFilter: 5, preview: 5 },
  quick: { fromNothing: 1, nothingToDo: 3, changedFilter: 3, preview: 2 },
};

const sizes = [1, 10, 50, 200];

/**
 * As it is, and with an engine that asks for the diffs of resources one after another. A preview of more resources has no
 * more diffs: what is new has nothing to be compared with.
 */
const arms = [
  { name: "", env: {} },
  { name: ", PULUMI_PARALLEL_DIFF=false", env: { PULUMI_PARALLEL_DIFF: "false" } },
];

export const source = "filter/assembly/add-header.ts";
const gateway = `http://localhost:${cluster.gatewayPort}`;

export class StackBench {
  readonly report: Report;
  readonly #clone: BenchClone;
  readonly #terminal: Terminal;
  readonly #plan: Plan;
  #emptyBefore: number | undefined;

  private constructor(clone: BenchClone, engine: Engine, plan: Plan, terminal: Terminal) {
    this.#clone = clone;
    this.#terminal = terminal;
    this.#plan = plan;
    this.report = { conditions: conditions(engine), empty: [], rows: [], growth: [], remarks: [] };
  }

  /** @param signal ends the measuring; what takes the stack down goes on */
  static async make(engine: Engine, quick: boolean, terminal: Terminal, signal: AbortSignal): Promise<StackBench> {
    terminal.note("Copying the project to a clone of its own");
    const clone = await BenchClone.make(engine, cluster, signal);
    return new StackBench(clone, engine, plans[quick ? "quick" : "whole"], terminal);
  }

  /** Everything, in an order that needs the fewest clusters. `report` grows as it goes. */
  async run(): Promise<void> {
    await this.#clone.emptyUp(); // the first one fills the machine's file cache
    await this.#fromNothing();
    await this.#nothingToDo();
    await this.#changedFilter();
    await this.#preview();
  }

  /** Takes the stack down, and the clone away. */
  async remove(): Promise<void> {
    this.#terminal.note(`Taking down the cluster ${cluster.name}`);
    await this.#clone.remove();
  }

  /** Leaves the last of its clusters for the others. */
  async #fromNothing(): Promise<void> {
    const seen = this.#row("from nothing to the header seen", 60_000);
    const end = this.#row("  … and to the command's end");
    let last: Timed | undefined;
    await this.#times(this.#plan.fromNothing, async (i) => {
      if (i > 0) {
        this.#terminal.note("  taking the stack down");
        await this.#clone.destroy();
        this.#emptyBefore = undefined; // that was a while ago
      }
      await this.#measure([seen, end], async () => {
        const poller = new Poller(`${gateway}/one`, ({ headers }) => headers["x-custom-header"] === "custom-value");
        last = await this.#clone.start().finally(() => poller.stop());
        return [(await seenBy(poller)) - last.started, last.ms];
      });
    });
    if (last) this.#remarkSteps("from nothing", last);
  }

  async #nothingToDo(): Promise<void> {
    const rows = arms.map(({ name }) => this.#row(`up with nothing to do${name}`, 3000));
    await this.#times(this.#plan.nothingToDo, async () => {
      for (const [i, { env }] of arms.entries())
        await this.#measure([rows[i] as Row], async () => [(await this.#clone.start(env)).ms]);
    });
  }

  /** Each time its source has another value in it. */
  async #changedFilter(): Promise<void> {
    const seen = this.#row("a changed filter to its new header", 5000);
    const end = this.#row("  … and to the command's end");
    const before = await this.#clone.read(source);
    let last: Timed | undefined;
    await this.#times(this.#plan.changedFilter, async (i) => {
      await this.#clone.write(source, changed(before, `v${i}`));
      await this.#measure([seen, end], async () => {
        const poller = new Poller(`${gateway}/one`, ({ headers }) => headers["x-bench"] === `v${i}`);
        last = await this.#clone.start().finally(() => poller.stop());
        return [(await seenBy(poller)) - last.started, last.ms];
      });
    });
    if (last) this.#remarkSteps("a changed filter", last);
  }

  /** Round by round, so that a machine that is busy for a while slows every size. */
  async #preview(): Promise<void> {
    const before = await this.#clone.read("Pulumi.dev.yaml");
    const rows = sizes.map((n) => this.#row(`preview, ${routes(n)}`));
    const growth: Growth = { name: "A preview's growth", points: [], goalMs: 10 };
    this.report.growth.push(growth);
    await this.#times(this.#plan.preview, async () => {
      for (const [i, n] of sizes.entries()) {
        await this.#clone.write("Pulumi.dev.yaml", before);
        await this.#clone.configure((file) => addRoutes(file, n));
        let resources = 0;
        const pair = await this.#measure([rows[i] as Row], async () => {
          const preview = await this.#clone.preview();
          resources = preview.resources;
          return [preview.ms];
        });
        growth.points.push({ ...pair, resources });
      }
    });
    await this.#clone.write("Pulumi.dev.yaml", before);
  }

  #row(name: string, goalMs?: number): Row {
    const row: Row = { name, goalMs, pairs: [] };
    this.report.rows.push(row);
    return row;
  }

  async #times(n: number, work: (i: number) => Promise<void>): Promise<void> {
    for (let i = 0; i < n; i++) await work(i);
  }

  /**
   * Runs something between two empty `up`s; neighbours share one. Its figures go to `rows`, in their order.
   * @returns the first of them
   */
  async #measure(rows: [Row, ...Row[]], work: () => Promise<number[]>): Promise<Pair> {
    const before = this.#emptyBefore ?? (await this.#empty());
    this.#terminal.status(`  measuring: ${rows[0].name}`);
    const values = await work();
    const after = await this.#empty();
    this.#emptyBefore = after;
    const pairs = values.map((value): Pair => ({ value, before, after }));
    for (const [i, row] of rows.entries()) row.pairs.push(pairs[i] as Pair);
    this.#terminal.note(
      `  ${rows[0].name}: ${values.map(time).join(", ")} (run ${rows[0].pairs.length}; empty up ${time(before)}, ${time(after)})`,
    );
    return pairs[0] as Pair;
  }

  async #empty(): Promise<number> {
    const { ms } = await this.#clone.emptyUp();
    this.report.empty.push(ms);
    return ms;
  }

  #remarkSteps(what: string, { stderr }: Timed): void {
    const steps = longestSteps(stderr, 6);
    if (steps.length > 0) this.report.remarks.push(`Longest steps of the last "${what}": ${steps.join(", ")}`);
  }
}

function conditions({ version }: Engine): string[] {
  const load = loadavg().map((average) => average.toFixed(1));
  return [
    `Stack dev with Pulumi ${version}, Node ${process.versions.node}, ${availableParallelism()} cores; load before the run: ${load.join(", ")} (1, 5, 15 min)`,
    "Wall clock of whole commands (`npm start -- dev` without npm's own start, its program built). Header seen: by a request every 20 ms.",
    "From nothing: no cluster, no registry, no state, nothing compiled; Docker's images and build cache as they are, the engine and its plugins in place.",
    "Empty up: a program that makes nothing, inline, built JavaScript, same engine, state in a file; one before and one after each figure, whose ratio is to their mean.",
    "Preview: of routes with a policy each, added to the running stack's configuration; inline, by tsx.",
  ];
}

/** The command has seen the header itself before it ended: the poller has its last request under way at most. */
async function seenBy(poller: Poller): Promise<number> {
  const seen = await poller.seen;
  if (seen === undefined) throw new UserError("the command ended well, but no request of ours has seen the header");
  return seen;
}

/** The filter's source with one header more. */
export function changed(text: string, value: string): string {
  const place = "    this.responseHeaders = headers;";
  if (!text.includes(place)) throw new Error(`${source} has changed: there is no line "${place.trim()}"`);
  return text.replace(place, `    headers.add(utf8("x-bench"), utf8("${value}"));\n${place}`);
}

/** To the configuration: `n` routes to echo, and a filter for each. */
export function addRoutes(file: Document, n: number): void {
  for (const key of ["meshup:routes", "meshup:filters"])
    if (!isSeq(file.getIn(["config", key]))) throw new Error(`Pulumi.dev.yaml has no list ${key}`);
  for (let i = 1; i <= n; i++) {
    const name = `bench-${i}`;
    file.addIn(["config", "meshup:routes"], { name, path: `/${name}`, workload: "echo" });
    file.addIn(["config", "meshup:filters"], {
      name,
      module: "./filter",
      root: "add_header_root",
      config: { "x-route": name },
      target: { route: name },
    });
  }
}

const routes = (n: number) => `${n} route${n === 1 ? "" : "s"} more`;
