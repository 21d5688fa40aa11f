// What a filter builds on, besides the SDK. Filters outside of this folder import it as "meshup".

export { Configuration } from "./configuration";
export { Headers } from "./header";
export { FilterRoot } from "./root";
export {
  error,
  Header,
  HttpAnswer,
  HttpGet,
  info,
  JsonKind,
  JsonMember,
  JsonObject,
  lowerCase,
  nameProblem,
  parseObject,
  quoted,
  registerRoot,
  SharedData,
  valueProblem,
  warn,
} from "./strings";
