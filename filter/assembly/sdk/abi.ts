// Numbers of the ABI that are in use. The SDK has them, too, in a file that makes objects when it is imported: they would
// be in the module with it.

export const enum LogLevel {
  Info = 2,
  Warn = 3,
  Error = 4,
}

export const enum HeaderMap {
  Request = 0,
  Response = 2,
  HttpCallResponse = 6,
}

export const enum BufferType {
  HttpCallResponseBody = 4,
  PluginConfiguration = 7,
}

export const enum Status {
  Ok = 0,
  BadArgument = 2,
}
