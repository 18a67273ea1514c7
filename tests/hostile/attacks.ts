// All attacks. One more is an entry in the file of its area.

import type { Attack } from "./attack.ts";
import { exhaustion } from "./attacks/exhaustion.ts";
import { memory } from "./attacks/memory.ts";
import { network } from "./attacks/network.ts";
import { secrets } from "./attacks/secrets.ts";
import { sql } from "./attacks/sql.ts";
import { time } from "./attacks/time.ts";

export const attacks: readonly Attack[] = [...time, ...memory, ...exhaustion, ...secrets, ...sql, ...network];
