// The measurements by name, each with its peers and its bar.

import type { Row } from "./results.ts";
import { bodies } from "./work/bodies.ts";
import { firstCall } from "./work/first_call.ts";
import { helloWorld } from "./work/hello.ts";
import { idleMemory } from "./work/idle_memory.ts";
import { listRows } from "./work/list.ts";
import { logins } from "./work/login.ts";
import { manyFunctions } from "./work/many_functions.ts";
import { neighbour } from "./work/neighbour.ts";
import { oneQuery } from "./work/query.ts";

export interface Benchmark {
  name: string;
  run(): Promise<Row[]>;
}

export const benchmarks: readonly Benchmark[] = [
  { name: "hello", run: helloWorld },
  { name: "first_call", run: firstCall },
  { name: "query", run: oneQuery },
  { name: "list", run: listRows },
  { name: "login", run: logins },
  { name: "bodies", run: bodies },
  { name: "many_functions", run: manyFunctions },
  { name: "neighbour", run: neighbour },
  { name: "idle_memory", run: idleMemory },
];
