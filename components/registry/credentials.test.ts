import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, expect, it } from "vitest";
import { registryCredentials } from "./credentials.ts";

const me = { username: "me", password: "hunter2" };

beforeEach(() => pulumi.runtime.setAllConfig({ "meshup:registryPassword": "hunter2" }, ["meshup:registryPassword"]));
afterEach(() => pulumi.runtime.setAllConfig({}));

it.each([
  [{ address: "ghcr.io/me", username: "me" }, "ghcr.io", me],
  [{ address: "docker.io/me", username: "me" }, "docker.io", me],
  [{ address: "private.localhost:5000", push: "localhost:5003", username: "me" }, "private.localhost:5000", me],
  [{ address: "private.localhost:5000", push: "localhost:5003", username: "me" }, "localhost:5003", me],
  [{ address: "ghcr.io/me", username: "me" }, "example.com", undefined],
  [{ address: "ghcr.io/me", username: "me" }, "ghcr.io:444", undefined],
  [{ address: "ghcr.io/me" }, "ghcr.io", undefined],
  [undefined, "ghcr.io", undefined],
])("with %j, %s is read with %j", (registry, host, credentials) => {
  expect(registryCredentials({ registry })(host)).toEqual(credentials);
});

it("a password in plain text is refused, and not repeated", () => {
  pulumi.runtime.setAllConfig({ "meshup:registryPassword": "hunter2" }, []);
  const read = () => registryCredentials({ registry: { address: "ghcr.io", username: "me" } })("ghcr.io");
  expect(read).toThrow(/plain text.*pulumi config set --secret meshup:registryPassword/);
  expect(read).not.toThrow(/hunter2/);
});
