import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Container } from "../docker.ts";
import { generationLabel, hostsToml, kindConfig, markOf, ownerId, ownerLabel, ownership } from "./config.ts";

const owner = { stack: "dev", directory: "/clone/.meshup/stacks/dev" };
const spec = { gatewayPort: 30000, directory: owner.directory, mark: markOf(ownerId(owner), "1a2b3c4d") };

const container = (parts: Partial<Container>): Container => ({
  ...{ id: "1", name: "x", running: true, paused: false, labels: {}, mounts: {}, ports: [], aliases: {} },
  ...parts,
});

describe("kind's configuration", () => {
  const config = parse(kindConfig(spec));

  it("has one node, whose gateway port leads to loopback only", () => {
    expect(config.nodes).toHaveLength(1);
    expect(config.nodes[0].extraPortMappings).toEqual([
      { containerPort: 30000, hostPort: 30000, listenAddress: "127.0.0.1", protocol: "TCP" },
    ]);
    expect(config.networking.apiServerAddress).toBe("127.0.0.1");
  });

  it("has images pulled side by side, and autoscalers look often", () => {
    expect(config.kubeadmConfigPatches.map((patch: string) => parse(patch))).toEqual([
      { kind: "KubeletConfiguration", serializeImagePulls: false },
      {
        kind: "ClusterConfiguration",
        controllerManager: { extraArgs: { "horizontal-pod-autoscaler-sync-period": "5s" } },
      },
    ]);
  });

  it("marks the node from its first moment", () => {
    const [{ hostPath, containerPath, readOnly }] = config.nodes[0].extraMounts;
    expect(readOnly).toBe(true);
    const node = container({ mounts: { "/var": "/v", [containerPath]: `/host_mnt${hostPath}` } });
    expect(ownership(node)).toMatchObject({ owner: ownerId(owner), generation: "1a2b3c4d" });
  });
});

it("a path with a colon, which Docker takes for two, is not mounted", () => {
  const directory = "/a:b/.meshup/stacks/dev";
  const [{ hostPath, containerPath }] = parse(kindConfig({ ...spec, directory })).nodes[0].extraMounts;
  expect(hostPath).toBe("/dev/null");
  expect(containerPath).toBe(spec.mark);
});

describe("an owner", () => {
  it("is the same for a stack of a clone, and another for another stack or clone", () => {
    const { stack, directory } = owner;
    const ids = [owner, { stack, directory }, { stack: "dev2", directory }, { stack, directory: "/other" }].map(
      ownerId,
    );
    expect(ids[0]).toBe(ids[1]);
    expect(new Set(ids).size).toBe(3);
  });

  it("stays the same when its clone is moved, and is another one for a clone at its old place", () => {
    const mark = { directory: "/old/.meshup/stacks/dev", name: "n" };
    const moved = { stack: "dev", directory: "/new/.meshup/stacks/dev", mark };
    expect(ownerId(moved)).toBe(ownerId({ ...moved, directory: mark.directory }));
    expect(ownerId(moved)).not.toBe(ownerId({ stack: "dev", directory: mark.directory }));
    expect(ownerId(moved)).not.toBe(ownerId({ ...moved, mark: { ...mark, name: "m" } }));
    expect(ownerId({ ...moved, mark: { ...mark, name: "" } })).toBe(
      ownerId({ stack: "dev", directory: mark.directory }),
    );
  });

  it("is on a container's label", () => {
    const labels = { [ownerLabel]: "dev-1", [generationLabel]: "g" };
    expect(ownership(container({ labels }))).toEqual({ owner: "dev-1", generation: "g" });
  });

  it("is nobody of meshup for others' containers", () => {
    expect(ownership(container({ mounts: { "/etc/meshup": "/x", "/etc/meshup/a": "/x" } }))).toBeUndefined();
  });
});

it("a node pulls over plain HTTP", () => {
  expect(hostsToml("http://meshup-dev-registry:5000")).toBe(
    'server = "http://meshup-dev-registry:5000"\n\n[host."http://meshup-dev-registry:5000"]\n  capabilities = ["pull", "resolve"]\n',
  );
});
