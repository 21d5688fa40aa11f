import { once } from "node:events";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../test/ports.ts";
import { assertPortsFree, otherOnLocalhost } from "./ports.ts";

async function hold(host: string, port: number, ipv6Only = false): Promise<void> {
  const server = createServer().listen({ host, port, ipv6Only });
  onTestFinished(() => void server.close());
  await once(server, "listening");
}

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

test("a port that nobody has", async () => {
  const port = await freePort();
  await assertPortsFree([port]);
  expect(await otherOnLocalhost(port)).toBeUndefined();
});

test("our own program at 127.0.0.1 is no other at localhost", async () => {
  const port = await freePort();
  await hold("127.0.0.1", port);
  expect(await otherOnLocalhost(port)).toBeUndefined();
});

test.skipIf(!hasIpv6)("a program at ::1 alone is named, with the key that chooses another port", async () => {
  const [one, two] = [await freePort(), await freePort()];
  await hold("::1", one);
  await hold("::", two, true);
  const { message } = await assertPortsFree([one, two], { [one]: "meshup:ports.gateway" }).catch((error) => error);
  const [first, second] = message.split("\n");
  expect(first).toContain(`port ${one} on ::1, where localhost may lead, is in use by`);
  expect(first).toContain(`(pid ${process.pid}): stop that process, or choose another port with meshup:ports.gateway`);
  expect(second).toContain(`port ${two} on ::1`);
});
