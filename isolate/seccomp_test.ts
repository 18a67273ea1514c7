import assert from "node:assert/strict";
import { type Architecture, seccompFilter } from "./seccomp.ts";
import { errno, systemCalls } from "./system_calls.ts";

const ownPid = 4711;
const audit = { x86_64: 0xc000003e, aarch64: 0xc00000b7 };

interface Made {
  number: number;
  /** Low halves of the arguments, and whatever is above. */
  args?: (number | bigint)[];
  architecture?: number;
}

/** Runs the program on one call, as the kernel does: the verdict's error number, "allowed" or "killed". */
function judge(architecture: Architecture, ipv6: boolean, made: Made): number | "allowed" | "killed" {
  const { program, pidAt } = seccompFilter(systemCalls(ipv6), architecture);
  const view = new DataView(Uint8Array.fromBase64(program).buffer);
  for (const at of pidAt) view.setUint32(at, ownPid, true);
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, made.number, true);
  data.setUint32(4, made.architecture ?? audit[architecture], true);
  for (const [index, arg] of (made.args ?? []).entries()) {
    data.setBigUint64(16 + index * 8, BigInt(arg), true);
  }
  let accumulator = 0;
  for (let at = 0;; at++) {
    const [code, k] = [view.getUint16(at * 8, true), view.getUint32(at * 8 + 4, true)];
    if (code === 0x20) accumulator = data.getUint32(k, true);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x15) at += view.getUint8(at * 8 + (accumulator === k ? 2 : 3));
    else if (code === 0x06) return k === 0x7fff0000 ? "allowed" : k === 0x80000000 ? "killed" : k & 0xffff;
    else throw new Error(`the program has an unknown instruction: ${code}`);
  }
}

for (const architecture of ["x86_64", "aarch64"] as const) {
  const call = (name: string, ...args: (number | bigint)[]) =>
    judge(architecture, false, { number: systemCalls(false)[name]?.[architecture] ?? -1, args });

  Deno.test(`${architecture}: sockets are TCP and UDP over IPv4, and IPv6 where it is allowed`, () => {
    const [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET] = [1, 2, 10, 16, 17];
    const [stream, datagram, raw] = [1 | 0o2000000, 2 | 0o4000, 3];
    assert.equal(call("socket", AF_INET, stream, 0), "allowed");
    assert.equal(call("socket", AF_INET, datagram, 17), "allowed");
    assert.equal(call("socket", AF_INET, raw, 0), errno.EAFNOSUPPORT);
    assert.equal(call("socket", AF_INET, datagram, 1), errno.EAFNOSUPPORT, "ICMP");
    for (const family of [AF_UNIX, AF_INET6, AF_NETLINK, AF_PACKET]) {
      assert.equal(call("socket", family, stream, 0), errno.EAFNOSUPPORT, String(family));
    }
    // The kernel reads a C int: what stands above it hides nothing.
    assert.equal(call("socket", 0xff_0000_000an, stream, 0), errno.EAFNOSUPPORT);
    const number = systemCalls(true).socket?.[architecture] ?? -1;
    assert.equal(judge(architecture, true, { number, args: [AF_INET6, stream, 0] }), "allowed");
  });

  Deno.test(`${architecture}: a thread may be started, and no process or namespace`, () => {
    const thread = 0x3d0f00;
    assert.equal(call("clone", thread), "allowed");
    for (const flags of [17, 0x4111, thread | 0x10000000, thread | 0x40000000]) {
      assert.equal(call("clone", flags), errno.EPERM, flags.toString(16));
    }
  });

  Deno.test(`${architecture}: files are opened to be read`, () => {
    assert.equal(call("openat", -100n & 0xffff_ffffn, 0, 0o2000000), "allowed");
    for (const flags of [1, 2, 0o100, 0o1000, 0o2000, 0o20200000 | 2]) {
      assert.equal(call("openat", 0, 0, flags), errno.EACCES, flags.toString(8));
    }
  });

  Deno.test(`${architecture}: signals and limits are the process's own`, () => {
    assert.equal(call("tgkill", ownPid, 1, 6), "allowed");
    assert.equal(call("tgkill", 1, 1, 9), errno.EPERM);
    assert.equal(call("prlimit64", 0, 7, 0), "allowed");
    assert.equal(call("prlimit64", 0, 7, 0x7fff_0000_0000n), errno.EPERM, "a pointer whose low half is 0");
    assert.equal(call("prlimit64", 1, 7, 0), errno.EPERM);
  });

  Deno.test(`${architecture}: what the table does not name does not exist, and other tables end the process`, () => {
    for (const number of [425, 435, 434, 437, 1000, 0x40000000 + 41, 0xffffffff]) {
      assert.equal(judge(architecture, false, { number }), errno.ENOSYS, String(number));
    }
    assert.equal(judge(architecture, false, { number: 1, architecture: 0x40000003 }), "killed");
  });
}

Deno.test("no number stands in the table twice", () => {
  for (const architecture of ["x86_64", "aarch64"] as const) {
    const numbers = Object.values(systemCalls(false)).map((call) => call[architecture]).filter((n) =>
      n !== null
    );
    assert.equal(new Set(numbers).size, numbers.length, architecture);
  }
});
