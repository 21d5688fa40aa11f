import { randomFillSync } from "node:crypto";
import type { Clock } from "../hostcalls/clock.ts";
import type { HostFunction, Vm } from "./vm.ts";

/** WASI's error numbers that Envoy answers with. */
const Errno = { Success: 0, Badf: 8, Notdir: 20, Fault: 21, Inval: 28, Noent: 44, Nosys: 52, Notsup: 58 } as const;

/**
 * WASI preview 1 as Envoy has it: no files, no sockets, no environment; standard output and error go to the log.
 * The same under both of WASI's names.
 */
export function wasiFunctions(vm: Vm, { clock }: { clock: Clock }): Map<string, HostFunction> {
  const { memory } = vm;
  const ok = (written: boolean) => (written ? Errno.Success : Errno.Fault);
  const onlyOutput = (fd: number) => (isOutput(fd) ? Errno.Success : Errno.Badf);
  /** Envoy has the real time (0) and the monotonic clock (1), and neither process's nor thread's. */
  const time = (id: number, at: number, read: () => bigint) =>
    id === 0 || id === 1 ? ok(memory.writeU64(at, read())) : Errno.Notsup;
  const functions: [name: string, signature: string, call: HostFunction["call"]][] = [
    ["fd_write", "iiii>i", (fd: number, iovs: number, count: number, at: number) => write(vm, fd, iovs, count, at)],
    [
      "fd_pwrite",
      "iiiIi>i",
      (fd: number, iovs: number, count: number, _: bigint, at: number) => write(vm, fd, iovs, count, at),
    ],
    ["fd_read", "iiii>i", () => Errno.Nosys],
    ["fd_pread", "iiiIi>i", () => Errno.Nosys],
    ["fd_seek", "iIii>i", () => Errno.Success],
    ["fd_tell", "ii>i", (fd: number, at: number) => (isOutput(fd) ? ok(memory.writeU64(at, 0n)) : Errno.Badf)],
    ["fd_close", "i>i", () => Errno.Success],
    ["fd_sync", "i>i", onlyOutput],
    ["fd_datasync", "i>i", onlyOutput],
    ["fd_advise", "iIIi>i", () => Errno.Success],
    ["fd_allocate", "iII>i", onlyOutput],
    ["fd_fdstat_get", "ii>i", (fd: number, at: number) => fdstat(vm, fd, at)],
    ["fd_fdstat_set_flags", "ii>i", () => Errno.Nosys],
    ["fd_fdstat_set_rights", "iII>i", onlyOutput],
    ["fd_filestat_get", "ii>i", () => Errno.Badf],
    ["fd_filestat_set_size", "iI>i", onlyOutput],
    ["fd_filestat_set_times", "iIIi>i", onlyOutput],
    ["fd_prestat_get", "ii>i", () => Errno.Badf],
    ["fd_prestat_dir_name", "iii>i", () => Errno.Nosys],
    [
      "fd_readdir",
      "iiiIi>i",
      (_fd, _buf, _len, _cookie: bigint, at: number) => (memory.writeU32(at, 0) ? Errno.Notdir : Errno.Fault),
    ],
    ["fd_renumber", "ii>i", (fd: number, to: number) => (isOutput(fd) && isOutput(to) ? Errno.Notsup : Errno.Badf)],
    ["path_open", "iiiiiIIii>i", () => Errno.Noent],
    ["path_create_directory", "iii>i", () => Errno.Notsup],
    ["path_filestat_get", "iiiii>i", () => Errno.Notsup],
    ["path_filestat_set_times", "iiiiIIi>i", () => Errno.Notsup],
    ["path_link", "iiiiii>i", () => Errno.Notsup],
    [
      "path_readlink",
      "iiiiii>i",
      (_fd, _path, _len, _buf, _size, at: number) => (memory.writeU32(at, 0) ? Errno.Notsup : Errno.Fault),
    ],
    ["path_remove_directory", "iii>i", () => Errno.Notsup],
    ["path_rename", "iiiiii>i", () => Errno.Notsup],
    ["path_symlink", "iiii>i", () => Errno.Notsup],
    ["path_unlink_file", "iii>i", () => Errno.Notsup],
    ["sock_accept", "iii>i", (_fd, _flags, at: number) => (memory.writeU64(at, 0n) ? Errno.Notsup : Errno.Fault)],
    [
      "sock_recv",
      "iiiiii>i",
      (_fd, _data, _len, _flags, sizeAt: number, flagsAt: number) =>
        memory.writeU32(sizeAt, 0) && memory.writeU16(flagsAt, 0) ? Errno.Notsup : Errno.Fault,
    ],
    [
      "sock_send",
      "iiiii>i",
      (_fd, _data, _len, _flags, at: number) => (memory.writeU32(at, 0) ? Errno.Notsup : Errno.Fault),
    ],
    ["sock_shutdown", "ii>i", () => Errno.Notsup],
    ["environ_get", "ii>i", () => Errno.Success],
    [
      "environ_sizes_get",
      "ii>i",
      (count: number, size: number) => ok(memory.writeU32(count, 0) && memory.writeU32(size, 0)),
    ],
    ["args_get", "ii>i", () => Errno.Success],
    [
      "args_sizes_get",
      "ii>i",
      (count: number, size: number) => ok(memory.writeU32(count, 0) && memory.writeU32(size, 0)),
    ],
    [
      "clock_time_get",
      "iIi>i",
      (id: number, _: bigint, at: number) =>
        time(id, at, () => (id === 0 ? clock.readRealtime() : clock.readMonotonic())),
    ],
    ["clock_res_get", "ii>i", (id: number, at: number) => time(id, at, () => 1n)],
    ["random_get", "ii>i", (at: number, size: number) => random(vm, at, size)],
    ["sched_yield", ">i", () => Errno.Success],
    ["poll_oneoff", "iiii>i", (_in, _out, _count, at: number) => ok(memory.writeU32(at, 0))],
    // As in Envoy it ends nothing by itself: what stops the module is the `unreachable` that compilers put behind it.
    ["proc_exit", "i>", () => undefined],
  ];
  return new Map(functions.map(([name, signature, call]) => [name, { signature, call }]));
}

function isOutput(fd: number): boolean {
  return fd === 1 || fd === 2;
}

function write(vm: Vm, fd: number, iovs: number, count: number, writtenAt: number): number {
  if (!isOutput(fd)) return Errno.Badf;
  const parts: Uint8Array[] = [];
  for (let i = 0; i < count >>> 0; i++) {
    const [at, size] = [vm.memory.readU32(iovs + 8 * i), vm.memory.readU32(iovs + 8 * i + 4)];
    if (at === undefined || size === undefined) return Errno.Fault;
    if (size === 0) continue; // wherever it points to
    const part = vm.memory.read(at, size);
    if (!part) return Errno.Fault;
    parts.push(part);
  }
  const text = Buffer.concat(parts);
  if (text.length > 0) vm.output(fd === 1 ? "stdout" : "stderr", text.toString("utf8"));
  return vm.memory.writeU32(writtenAt, text.length) ? Errno.Success : Errno.Fault;
}

function fdstat(vm: Vm, fd: number, at: number): number {
  if (!isOutput(fd)) return Errno.Badf;
  const canWrite = 64n;
  vm.memory.write(at, new Uint8Array(24));
  vm.memory.writeU64(at + 8, canWrite);
  return Errno.Success;
}

function random(vm: Vm, at: number, size: number): number {
  if (size >>> 0 > 64 * 1024) return Errno.Inval;
  if (size === 0) return Errno.Success; // wherever it points to
  const view = vm.memory.view(at, size);
  if (!view) return Errno.Fault;
  randomFillSync(view);
  return Errno.Success;
}
