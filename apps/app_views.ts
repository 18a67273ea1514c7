// Apps as the management routes show them: names and case are the contract's. Fields of features that this platform
// leaves out hold neutral values, since clients read them.

import type { AppRow } from "../db/queries/apps.ts";

export function createdApp(app: AppRow, apiBase: string) {
  return {
    app_id: app.id,
    name: app.name,
    db_provisioned: app.provisioning_status === "ready",
    provisioning_status: app.provisioning_status,
    api_url: `${apiBase}/v1/${app.id}`,
    api_base_url: apiBase,
    region: app.region,
    subdomain: app.subdomain,
    url: `${apiBase}/v1/${app.id}`,
    anon_key: app.anon_key,
    created_at: app.created_at.toISOString(),
  };
}

/** What to do with an app that was just made. */
export const nextActions = {
  next_actions: [
    {
      action: "poll_status",
      description: "Wait until GET /apps/{app_id}/status says ready.",
      recommended: true,
    },
    {
      action: "apply_schema",
      description: "Define tables with POST /v1/{app_id}/schema/apply.",
      recommended: false,
    },
    {
      action: "deploy_function",
      description: "Deploy code with POST /v1/{app_id}/functions.",
      recommended: true,
    },
  ],
};

export function listedApp(app: AppRow) {
  return {
    id: app.id,
    name: app.name,
    subdomain: app.subdomain,
    db_name: app.db_name,
    db_provisioned: app.provisioning_status === "ready",
    provisioning_status: app.provisioning_status,
    region: app.region,
    visibility: app.visibility,
    listed: app.listed,
    paused: app.paused_at !== null,
    template_source_app_id: null,
    fork_count: 0,
    substrate_organization_id: null,
    substrate_autopropagate: false,
    created_at: app.created_at.toISOString(),
    organization_id: app.owner_id,
  };
}

export function appStatus(app: AppRow) {
  return {
    app_id: app.id,
    name: app.name,
    db_provisioned: app.provisioning_status === "ready",
    provisioning_status: app.provisioning_status,
    provisioning_error: app.provisioning_error,
  };
}

export function appConfig(app: AppRow) {
  return {
    id: app.id,
    name: app.name,
    db_name: app.db_name,
    db_provisioned: app.provisioning_status === "ready",
    region: app.region,
    allowed_origins: app.allowed_origins,
    storage_config: app.storage_config,
    jwt_config: { accessTokenTtl: app.access_token_ttl, refreshTokenTtlDays: app.refresh_token_ttl_days },
    auth_hook_function: app.auth_hook_function,
    access_mode: app.access_mode,
    anon_key: app.anon_key,
    egress: { allow: app.egress_allow, deny: app.egress_deny },
    visibility: app.visibility,
    listed: app.listed,
    paused: app.paused_at !== null,
    paused_at: app.paused_at?.toISOString() ?? null,
    paused_reason: app.paused_reason,
    template_source_app_id: null,
    repo_latest_snapshot: null,
    fork_count: 0,
    substrate_organization_id: null,
    created_at: app.created_at.toISOString(),
    updated_at: app.updated_at.toISOString(),
  };
}
