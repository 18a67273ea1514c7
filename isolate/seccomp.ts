// Turns the table of system calls into the kernel's filter program, in classic BPF: a process under it makes the calls of
// the table, and every other one answers ENOSYS, as if the kernel were older. The server does this once, so that a host
// only has to hand the bytes to its kernel.

import type { Filter } from "./host/confinement.ts";
import { type ArgumentTest, errno, type SystemCall } from "./system_calls.ts";

export type Architecture = "x86_64" | "aarch64";

/** AUDIT_ARCH_*: a process can call by the table of another architecture, where the numbers mean other things. */
const auditArchitectures: Readonly<Record<Architecture, number>> = {
  x86_64: 0xc000003e,
  aarch64: 0xc00000b7,
};

const LD_W_ABS = 0x20;
const ALU_AND_K = 0x54;
const JMP_JEQ_K = 0x15;
const RET_K = 0x06;

const RET_ALLOW = 0x7fff0000;
const RET_ERRNO = 0x00050000;
const RET_KILL_PROCESS = 0x80000000;

/** Where `struct seccomp_data` holds them. */
const atNumber = 0;
const atArchitecture = 4;
const atArguments = 16;

/** A jump skips so many of the instructions that follow it. */
interface Instruction {
  readonly code: number;
  readonly k: number | "own pid";
  readonly whenTrue?: number;
  readonly whenFalse?: number;
}

const load = (offset: number): Instruction => ({ code: LD_W_ABS, k: offset });
const answer = (k: number): Instruction => ({ code: RET_K, k });

/** The program for hosts of this architecture. */
export function seccompFilter(
  calls: Readonly<Record<string, SystemCall>>,
  architecture: Architecture,
): Filter {
  const program: Instruction[] = [
    load(atArchitecture),
    { code: JMP_JEQ_K, k: auditArchitectures[architecture], whenTrue: 1 },
    answer(RET_KILL_PROCESS),
    load(atNumber),
    ...Object.values(calls).flatMap((call) => judge(call, call[architecture])),
    answer(RET_ERRNO | errno.ENOSYS),
  ];
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  const pidAt: number[] = [];
  for (const [index, { code, k, whenTrue = 0, whenFalse = 0 }] of program.entries()) {
    const at = index * 8;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, whenTrue);
    view.setUint8(at + 3, whenFalse);
    if (k === "own pid") pidAt.push(at + 4);
    else view.setUint32(at + 4, k >>> 0, true);
  }
  return { program: bytes.toBase64(), pidAt };
}

/** Answers if the number is this call's; goes on behind it with the number still loaded, if not. */
function judge({ tests = [], otherwise = errno.EPERM }: SystemCall, number: number | null): Instruction[] {
  if (number === null) return [];
  const refusal = answer(RET_ERRNO | otherwise);
  const verdict = [...tests.flatMap((test) => holdOrAnswer(test, refusal)), answer(RET_ALLOW)];
  return [{ code: JMP_JEQ_K, k: number, whenFalse: verdict.length }, ...verdict];
}

/** Goes on behind itself if the test holds. */
function holdOrAnswer(test: ArgumentTest, refusal: Instruction): Instruction[] {
  const low = atArguments + test.argument * 8;
  if ("isNull" in test) {
    return [
      load(low),
      { code: JMP_JEQ_K, k: 0, whenFalse: 2 },
      load(low + 4),
      { code: JMP_JEQ_K, k: 0, whenTrue: 1 },
      refusal,
    ];
  }
  const { mask, oneOf } = test;
  const matches = oneOf.map((k, at): Instruction => ({ code: JMP_JEQ_K, k, whenTrue: oneOf.length - at }));
  return [
    load(low),
    ...(mask === undefined ? [] : [{ code: ALU_AND_K, k: mask }]),
    ...matches,
    refusal,
  ];
}
