import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Settings } from "../settings.ts";
import { loadServicesExample, parseLoadServices, readLoadSettings } from "./settings.ts";

function parse(document: unknown) {
  const problems: string[] = [];
  return { services: parseLoadServices(document, problems), problems };
}

const least = { service: "default/echo", url: "http://127.0.0.1:8080/metrics" };

describe("LOAD_SERVICES", () => {
  test("the example of the messages is right, and is what the defaults give", () => {
    expect(parse(JSON.parse(loadServicesExample))).toEqual(parse([least]));
    expect(parse([least])).toEqual({
      services: [{ ...least, capacity: 10, minReplicas: 1, maxReplicas: 2, periodMs: 1000 }],
      problems: [],
    });
  });

  test("the maximum by default is never below the minimum", () => {
    expect(parse([{ ...least, minReplicas: 5 }])).toMatchObject({ services: [{ maxReplicas: 5 }], problems: [] });
  });

  test.each([[null], [7], ["x"], [{}], [[]]])("%j is not a list of services", (document) => {
    expect(parse(document).problems).toEqual([expect.stringContaining("is not a list of services; right would be [")]);
  });

  test.each([
    [{ service: "echo" }, 'LOAD_SERVICES[0].service: "echo" is not namespace/deployment'],
    [{ service: "Default/Echo" }, ".service:"],
    [{ service: "a/b/c" }, ".service:"],
    [{ service: "a/b\nx: y" }, ".service:"],
    [{ service: 5 }, ".service: "],
    [{ url: "localhost:80" }, ".url:"],
    [{ url: "https://x/metrics" }, ".url:"],
    [{ url: "http://u:p@x/" }, ".url:"],
    [{ capacity: 0 }, "capacity: "],
    [{ capacity: -1 }, "capacity: "],
    [{ capacity: "10" }, "capacity: "],
    [{ minReplicas: 0 }, "minReplicas: "],
    [{ maxReplicas: 1.5 }, "maxReplicas: "],
    [{ minReplicas: 3, maxReplicas: 2 }, "maxReplicas: 2 is less than minReplicas, 3"],
    [{ periodMs: 9 }, "periodMs: "],
    [{ periodMs: null }, "periodMs: null is not a whole number from 10 to 3600000"],
    [{ period: 10 }, "period is not known; there is service, url"],
  ])("%j", (change, problem) => {
    expect(parse([{ ...least, ...change }]).problems).toEqual([expect.stringContaining(problem)]);
  });

  test("every problem at once, each with its place", () => {
    const { problems } = parse([{ capacity: 0 }, 3, least, least]);
    expect(problems).toEqual([
      "LOAD_SERVICES[0].service: nothing is not namespace/deployment",
      "LOAD_SERVICES[0].url: nothing is not an http:// address without user and password",
      "LOAD_SERVICES[0].capacity: 0 is not a number above 0",
      "LOAD_SERVICES[1] is not an object",
      'LOAD_SERVICES[3].service: "default/echo" is LOAD_SERVICES[2] already',
    ]);
  });

  test("no document makes it throw, and what it finds nothing wrong with is whole", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (document) => {
        const { services, problems } = parse(document);
        if (problems.length === 0) for (const service of services) expect(service.service).toMatch(/^[^/]+\/[^/]+$/);
      }),
    );
  });
});

describe("LOAD_SOURCE", () => {
  const read = (env: NodeJS.ProcessEnv) => {
    const settings = new Settings(env);
    return { read: readLoadSettings(settings), problems: settings.problems };
  };
  const pod = { LOAD_SOURCE: "kubernetes", KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };

  test("local by default", () => {
    expect(read({ LOAD_SERVICES: JSON.stringify([least]) }).read).toMatchObject({ source: "local" });
  });

  test("kubernetes, with what every pod has", () => {
    expect(read(pod)).toEqual({
      read: {
        source: "kubernetes",
        namespace: "default",
        periodMs: 1000,
        host: "10.96.0.1",
        port: 443,
        directory: "/var/run/secrets/kubernetes.io/serviceaccount",
      },
      problems: [],
    });
  });

  test("an IPv6 cluster", () => {
    expect(read({ ...pod, KUBERNETES_SERVICE_HOST: "fd00::1" })).toMatchObject({
      read: { host: "fd00::1" },
      problems: [],
    });
  });

  test("kubernetes outside a cluster: every problem at once", () => {
    const env = { LOAD_SOURCE: "kubernetes", LOAD_NAMESPACE: "a/../b", LOAD_PERIOD_MS: "0" };
    expect(read(env).problems).toEqual([
      'LOAD_NAMESPACE: "a/../b" is not a namespace\'s name',
      'LOAD_PERIOD_MS: "0" is not a whole number from 10 to 3600000',
      "KUBERNETES_SERVICE_HOST is not set; it has to be the address of a Kubernetes API server",
      "KUBERNETES_SERVICE_PORT is not set; it has to be the port of a Kubernetes API server",
    ]);
  });

  test.each([
    [{ KUBERNETES_SERVICE_PORT: "0" }, "KUBERNETES_SERVICE_PORT: "],
    [{ KUBERNETES_SERVICE_PORT: "tcp://10.0.0.1:443" }, "KUBERNETES_SERVICE_PORT: "],
    [{ KUBERNETES_SERVICE_HOST: "https://10.0.0.1" }, "KUBERNETES_SERVICE_HOST: "],
    [{ SERVICE_ACCOUNT_DIRECTORY: "secrets" }, "SERVICE_ACCOUNT_DIRECTORY: "],
    [{ LOAD_NAMESPACE: "" }, "LOAD_NAMESPACE: "],
  ])("%j", (change, problem) => {
    expect(read({ ...pod, ...change }).problems).toEqual([expect.stringContaining(problem)]);
  });

  test("one that there is not", () => {
    expect(read({ LOAD_SOURCE: "nomad", LOAD_SERVICES: JSON.stringify([least]) }).problems).toEqual([
      'LOAD_SOURCE: "nomad" is not one of local, kubernetes',
    ]);
  });
});
