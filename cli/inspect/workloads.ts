/** A stack's workloads, as its outputs have them. */
import { connect } from "node:net";
import type { DescribedBackend } from "../../components/workloads/backend.ts";

const timeoutMs = 2_000;

/** By name; none of a stack that an earlier version has brought up. */
export function workloadOutputs({ workloads }: Record<string, unknown>): Record<string, DescribedBackend> {
  const isMapping = typeof workloads === "object" && workloads !== null;
  return isMapping ? (workloads as Record<string, DescribedBackend>) : {};
}

export interface UrlStatus {
  name: string;
  address: string;
  /** Why nobody takes a connection there. */
  problem?: string;
}

/** The workloads that are URLs, and whether somebody takes a connection there. @param processes names of the stack's own */
export function urlStatus(outputs: Record<string, unknown>, processes: string[]): Promise<UrlStatus[]> {
  const urls = Object.entries(workloadOutputs(outputs)).filter(
    ([name, { address }]) => /^https?:/.test(address) && !processes.includes(name),
  );
  return Promise.all(
    urls.map(async ([name, { address }]) => {
      const problem = await whyNot(address);
      return { name, address, ...(problem !== undefined && { problem }) };
    }),
  );
}

function whyNot(address: string): Promise<string | undefined> {
  const { hostname, port, protocol } = new URL(address);
  const host = hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port || (protocol === "https:" ? 443 : 80)) });
    const end = (problem?: string) => {
      socket.destroy();
      resolve(problem);
    };
    socket.setTimeout(timeoutMs, () => end(`no answer within ${timeoutMs / 1000} s`));
    socket.once("connect", () => end()).once("error", ({ message }) => end(message));
  });
}
