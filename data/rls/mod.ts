// Front door of row-level security.

export {
  checkPolicyName,
  checkTable,
  type IsolationDraft,
  parseEnabling,
  parseIsolation,
  parsePolicy,
  parseReplacement,
  parseSecuring,
  type PolicyDraft,
} from "./requests.ts";
export { RowSecurity, type RowSecurityParts } from "./row_security.ts";
