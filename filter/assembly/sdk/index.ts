// What a filter builds on, besides the SDK. Filters outside of this folder import it as "meshup".

export { Configuration } from "./configuration";
export { registerRoot } from "./dispatch";
export { Header, lowerCase, nameProblem, valueProblem } from "./header";
export { HttpAnswer, HttpGet } from "./http-call";
export { JsonKind, JsonMember, JsonObject, parseObject } from "./json";
export { error, info, quoted, warn } from "./log";
export { FilterRoot } from "./root";
export { SharedData } from "./shared-data";
