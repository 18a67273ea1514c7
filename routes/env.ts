// What a request carries through the routes.

import type { App } from "../apps/app_registry.ts";
import type { PlatformPrincipal } from "../core/principal.ts";
import type { RequestId } from "../core/ids.ts";

export interface Env {
  Bindings: { remoteAddr?: Deno.NetAddr };
  Variables: {
    requestId: RequestId;
    principal: PlatformPrincipal;
    app: App;
  };
}
