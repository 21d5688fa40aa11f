import { expect, it } from "vitest";
import { engineProblem, parseContainers } from "./docker.ts";

it.each([
  [
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    /^Docker is not running/,
  ],
  ["error during connect: this error may indicate that the docker daemon is not running", /^Docker is not running/],
  [
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: dial unix: connect: permission denied",
    /^this user may not use Docker/,
  ],
  ["failed to connect to the docker API at unix:///var/run/docker.sock", /^Docker is not running/],
])("%s", (stderr, problem) => expect(engineProblem(stderr)).toMatch(problem));

it("leaves what a command says of its own work to the command", () => {
  expect(engineProblem("Error: No such container: x")).toBeUndefined();
  expect(engineProblem("open /etc/x: permission denied")).toBeUndefined();
});

it("reads a container with nothing in it", () => {
  const bare = {
    Id: "1",
    Name: "/x",
    State: { Running: false },
    Config: { Labels: null },
    Mounts: [],
    NetworkSettings: { Ports: { "80/tcp": null }, Networks: { none: { Aliases: null } } },
  };
  const none = { labels: {}, mounts: {}, ports: [], aliases: { none: [] } };
  expect(parseContainers(JSON.stringify([bare]))).toEqual([
    { id: "1", name: "x", running: false, paused: false, ...none },
  ]);
});
