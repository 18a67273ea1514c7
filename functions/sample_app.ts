// What the first start makes, so that the first thing a developer does is call something that answers.

import type { Apps } from "../apps/apps.ts";
import type { AppRegistry } from "../apps/app_registry.ts";
import type { PlatformPrincipal } from "../core/principal.ts";
import { parseFunctionDraft } from "./function_draft.ts";
import type { Functions } from "./functions.ts";

export interface SampleAppParts {
  apps: Apps;
  registry: AppRegistry;
  functions: Functions;
  owner: PlatformPrincipal;
  /** Code of the sample function. */
  code: string;
}

/** Makes the app `hello` with a function of that name; answers the path to call it under. */
export async function createSampleApp(
  { apps, registry, functions, owner, code }: SampleAppParts,
): Promise<string> {
  const { app: row } = await apps.create(owner.accountId, { name: "hello", subdomain: null, region: null });
  const found = await registry.find(row.id);
  if (found === null) throw new Error("The sample app is gone");
  const app = await apps.ready(found);
  const draft = parseFunctionDraft({
    name: "hello",
    description: "Says hello.",
    code,
    trigger: { type: "http", config: { auth: "none" } },
  });
  await functions.deploy(app, draft, owner);
  return `/v1/${app.id}/fn/hello`;
}
