import assert from "node:assert/strict";
import { AppError } from "../core/errors.ts";
import { functionLimits, parseFunctionDraft } from "./function_draft.ts";

const least = { name: "fn", code: "export default () => new Response()" };

function refusal(fields: Record<string, unknown>): AppError {
  try {
    parseFunctionDraft({ ...least, ...fields });
  } catch (error) {
    assert.ok(error instanceof AppError);
    return error;
  }
  throw new Error(`It was not refused: ${JSON.stringify(fields).slice(0, 300)}`);
}

/** Paths of the fields that the refusal names. */
function wrongFields(fields: Record<string, unknown>): unknown[] {
  const { code, details } = refusal(fields);
  assert.equal(code, "VALIDATION_INVALID_SCHEMA");
  return [details].flat().map((issue) => (issue as { path: string }).path);
}

Deno.test("a name and code are a draft, and what is left out stays undefined, so that a redeploy keeps it", () => {
  const { name, code, envMode, ...others } = parseFunctionDraft(least);
  assert.deepEqual({ name, code }, least);
  assert.equal(envMode, "merge");
  for (const [field, value] of Object.entries(others)) assert.equal(value, undefined, field);
});

Deno.test("every field of the contract is taken, and unknown ones are dropped", () => {
  const draft = parseFunctionDraft({
    ...least,
    description: "Says hello",
    envVars: { A: "1", B: null },
    replaceEnv: true,
    timeoutMs: 300_000,
    memoryLimitMb: 64,
    triggers: [{ type: "http", config: { auth: "none" } }, {
      type: "cron",
      config: { schedule: "* * * * *" },
    }],
    agent_tool: true,
    agent_tool_description: "Hello",
    agent_tool_mode: "read_write",
    agent_tool_exposed_to: "end_user",
    allow_service_key_impersonation: false,
    id: "x",
    app_id: "app_x",
    version: 7,
  });
  assert.deepEqual(draft, {
    ...least,
    description: "Says hello",
    envVars: { A: "1", B: null },
    envMode: "replace",
    timeoutMs: 300_000,
    memoryLimitMb: 64,
    triggers: [
      { type: "http", config: { auth: "none" }, enabled: true },
      { type: "cron", config: { schedule: "* * * * *" }, enabled: true },
    ],
    agentTool: true,
    agentToolDescription: "Hello",
    agentToolMode: "read_write",
    agentToolExposedTo: "end_user",
    allowServiceKeyImpersonation: false,
  });
});

Deno.test("names are 1 to 100 letters, digits, hyphens and underscores, so that none needs percent-encoding", () => {
  for (const name of ["a", "A-b_9", "_", "-", "0", "x".repeat(100)]) {
    assert.equal(parseFunctionDraft({ ...least, name }).name, name);
  }
  for (
    const name of ["", "a b", "a/b", "a.b", "ä", "a%20b", "..", "a\n", "x".repeat(101), 1, null, undefined]
  ) {
    assert.deepEqual(wrongFields({ name }), ["name"], JSON.stringify(name));
  }
});

Deno.test("timeoutMs and memoryLimitMb are whole numbers within their bounds, and refused outside", () => {
  for (const timeoutMs of [1, 300_000]) {
    assert.equal(parseFunctionDraft({ ...least, timeoutMs }).timeoutMs, timeoutMs);
  }
  for (const memoryLimitMb of [64, 1024]) {
    assert.equal(parseFunctionDraft({ ...least, memoryLimitMb }).memoryLimitMb, memoryLimitMb);
  }
  for (const timeoutMs of [0, -1, 300_001, 1.5, "30000", null, NaN, 1e12]) {
    assert.ok(wrongFields({ timeoutMs }).every((path) => path === "timeoutMs"), String(timeoutMs));
  }
  for (const memoryLimitMb of [63, 1025, 0, 128.5, "128", null]) {
    assert.ok(
      wrongFields({ memoryLimitMb }).every((path) => path === "memoryLimitMb"),
      String(memoryLimitMb),
    );
  }
});

Deno.test("all wrong fields are named together", () => {
  const fields = { name: "a b", timeoutMs: 0, memoryLimitMb: "x", agent_tool: "yes", description: 1 };
  assert.deepEqual(wrongFields(fields).sort(), Object.keys(fields).sort());
  assert.match(refusal(fields).message, /name: .*; .*timeoutMs: /s);
});

Deno.test("null is no value of an optional field", () => {
  const optional = [
    "description",
    "envVars",
    "replaceEnv",
    "timeoutMs",
    "memoryLimitMb",
    "triggers",
    "trigger",
  ];
  const agent = ["agent_tool", "agent_tool_description", "agent_tool_mode", "agent_tool_exposed_to"];
  for (const field of [...optional, ...agent, "allow_service_key_impersonation"]) {
    assert.deepEqual(wrongFields({ [field]: null }), [field]);
  }
});

Deno.test("a draft that is no object is refused", () => {
  for (const body of [null, [], "x", 1, true, undefined]) {
    assert.throws(() => parseFunctionDraft(body), { code: "VALIDATION_INVALID_SCHEMA" });
  }
});

Deno.test("trigger is read as a list of one, and triggers win over it", () => {
  const http = { type: "http", config: { auth: "none" } };
  const cron = { type: "cron", config: { schedule: "0 9 * * *" } };
  assert.deepEqual(parseFunctionDraft({ ...least, trigger: http }).triggers, [{ ...http, enabled: true }]);
  assert.deepEqual(
    parseFunctionDraft({ ...least, trigger: http, triggers: [cron] }).triggers?.map(({ type }) => type),
    ["cron"],
  );
});

Deno.test("a trigger needs a type that exists, config is an object, and enabled says true or false", () => {
  assert.deepEqual(parseFunctionDraft({ ...least, trigger: { type: "http" } }).triggers, [
    { type: "http", config: { auth: "required" }, enabled: true },
  ]);
  assert.deepEqual(wrongFields({ triggers: [] }), ["triggers"]);
  assert.deepEqual(wrongFields({ triggers: { type: "http" } }), ["triggers"]);
  assert.deepEqual(wrongFields({ triggers: [{ type: "smtp" }] }), ["triggers.0.type"]);
  assert.deepEqual(wrongFields({ triggers: [{}] }), ["triggers.0.type"]);
  assert.deepEqual(wrongFields({ triggers: ["http"] }), ["triggers.0"]);
  assert.deepEqual(wrongFields({ trigger: { type: "http", config: "x" } }), ["trigger.config"]);
  assert.deepEqual(wrongFields({ trigger: { type: "http", config: [] } }), ["trigger.config"]);
  assert.deepEqual(wrongFields({ trigger: { type: "http", enabled: 1 } }), ["trigger.enabled"]);
  assert.deepEqual(wrongFields({ trigger: { type: "http", config: { auth: "x" } } }), [
    "trigger.config.auth",
  ]);
});

Deno.test("two triggers of one type are refused, also when one is switched off", () => {
  const triggers = [{ type: "http" }, { type: "cron", config: {} }, { type: "http", enabled: false }];
  assert.deepEqual(wrongFields({ triggers }), ["triggers.2.type"]);
});

Deno.test("reserved and misspelt env keys are refused at deploy as in a PATCH, and no env at all is fine", () => {
  assert.deepEqual(parseFunctionDraft({ ...least, envVars: {} }).envVars, {});
  for (const envVars of [{ BUTTERBASE_X: "1" }, { "A-B": "1" }, { A: 1 }, [], "A=1"]) {
    assert.equal(refusal({ envVars }).code, "VALIDATION_INVALID_SCHEMA");
  }
});

Deno.test("code is counted in bytes and must not be empty", () => {
  assert.deepEqual(wrongFields({ code: "" }), ["code"]);
  const most = functionLimits.codeBytes;
  assert.equal(parseFunctionDraft({ ...least, code: "x".repeat(most) }).code.length, most);
  assert.equal(refusal({ code: "x".repeat(most + 1) }).code, "PAYLOAD_TOO_LARGE");
  assert.equal(refusal({ code: "é".repeat(most / 2 + 1) }).code, "PAYLOAD_TOO_LARGE");
});
