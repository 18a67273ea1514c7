// The isolates: where functions run. The rest of the platform knows this page only.

export type { CallHandler, CallResult, IsolateSettings, IsolateVersion, Job, RunJob } from "./job.ts";
export type { CallError, CallRequest, RowsHead } from "./protocol/messages.ts";
export { prepareHostSockets } from "./socket_folder.ts";
export { type IsolateLimits, Supervisor, type SupervisorParts } from "./supervisor.ts";
