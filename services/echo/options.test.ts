import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HttpError } from "../server.ts";
import { maxBurnMs, maxDelayMs, parseEchoOptions } from "./options.ts";

const parse = (query: string) => parseEchoOptions(new URLSearchParams(query));

/** The reason of a refusal; fails when there is none. */
function refusal(query: string): string {
  try {
    parse(query);
  } catch (error) {
    if (error instanceof HttpError && error.status === 400) return error.message;
    throw error;
  }
  throw new Error(`${query} was not refused`);
}

describe("what a query asks for", () => {
  test("nothing: a plain 200 at once", () => {
    expect(parse("")).toEqual({ status: 200, delayMs: 0, burnMs: 0, headers: {} });
    expect(parse("user=7&delays=x")).toEqual(parse(""));
  });

  test("every number in its limits is taken", () => {
    const numbers = [fc.integer({ min: 200, max: 599 }), fc.nat(maxDelayMs), fc.nat(maxBurnMs)] as const;
    fc.assert(
      fc.property(...numbers, (status, delayMs, burnMs) => {
        const options = parse(`status=${status}&delay=${delayMs}&burn=${burnMs}`);
        expect(options).toEqual({ status, delayMs, burnMs, headers: {} });
      }),
    );
  });

  test("headers: names in lower case, a value may have colons, a name may come twice", () => {
    const { headers } = parse("headers=X-A:1&headers=set-cookie:a=b&headers=Set-Cookie:c=d&headers=x-url: http://x:1/");
    expect(headers).toEqual({ "x-a": ["1"], "set-cookie": ["a=b", "c=d"], "x-url": ["http://x:1/"] });
  });

  test("headers: a value beyond ASCII", () => {
    expect(parse(new URLSearchParams({ headers: "a:łódź" }).toString()).headers).toEqual({ a: ["łódź"] });
  });
});

describe("what is refused", () => {
  test.each(["abc", "-1", "", "1.5", "1e3", "0x10", "+1", " 1", "99999999999999999999", `${maxDelayMs + 1}`])(
    "delay=%j",
    (value) => {
      expect(refusal(`delay=${encodeURIComponent(value)}`)).toContain(`delay=${JSON.stringify(value)} is not`);
    },
  );

  test("a text that is no plain number in the limits, whatever it is", () => {
    const noNumber = fc.string().filter((text) => !/^[0-9]+$/.test(text));
    fc.assert(
      fc.property(noNumber, fc.constantFrom("status", "delay", "burn"), (text, name) => {
        expect(refusal(new URLSearchParams({ [name]: text }).toString())).toContain(`${name}=`);
      }),
    );
  });

  test.each(["status=100", "status=199", "status=600", `burn=${maxBurnMs + 1}`, "delay=1&delay=2"])("%s", (query) => {
    expect(refusal(query)).toContain(query.split("=")[0]);
  });

  test.each([
    ["novalue", "is not name:value"],
    [":v", "is not name:value"],
    ["", "is not name:value"],
    ["a b:c", "name that HTTP forbids"],
    ["a:b\r\nx-evil: 1", "value that HTTP forbids"],
    ["a:\u0000", "value that HTTP forbids"],
    ["Content-Length:3", "belongs to the connection"],
    ["transfer-encoding:chunked", "belongs to the connection"],
    ["Connection:close", "belongs to the connection"],
  ])("headers=%j", (pair, reason) => {
    expect(refusal(`headers=${encodeURIComponent(pair)}`)).toContain(reason);
  });

  test("every problem at once", () => {
    const reason = refusal("status=1&delay=x&burn=-1&headers=bad");
    for (const name of ["status=", "delay=", "burn=", "headers="]) expect(reason).toContain(name);
  });
});
