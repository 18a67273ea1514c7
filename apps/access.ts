// Whose app it is. No access and no app look the same from outside: 404.

import { AppError } from "../core/errors.ts";
import type { PlatformPrincipal } from "../core/principal.ts";
import type { App, AppRegistry } from "./app_registry.ts";

/** Whether the key reaches the app: the account's own, or any for the operator, and within the key's scope. */
export function mayManage(principal: PlatformPrincipal, app: Pick<App, "id" | "ownerId">): boolean {
  const { reach } = principal;
  if (reach.kind === "app" && reach.appId !== app.id) return false;
  return principal.operator || principal.accountId === app.ownerId;
}

/** @throws {AppError} RESOURCE_NOT_FOUND, the same whether the app is missing or somebody else's. */
export async function findManagedApp(
  registry: AppRegistry,
  id: string,
  principal: PlatformPrincipal,
): Promise<App> {
  const app = await registry.find(id);
  if (app === null || !mayManage(principal, app)) throw appNotFound(id);
  return app;
}

export function appNotFound(id: string): AppError {
  return new AppError("RESOURCE_NOT_FOUND", `There is no app "${id.slice(0, 64)}"`, {
    remediation: "Check the app id: GET /apps lists yours.",
  });
}
