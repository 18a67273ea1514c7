// A quota of a function, reached on the server's side; isolates have an error of their own for theirs.

import { AppError } from "../core/errors.ts";
import { type QuotaLimits, quotaMessage, type QuotaName, quotas, type QuotaUse } from "../core/quotas.ts";

export function quotaError(name: QuotaName, limits: QuotaLimits, used: number): AppError {
  const { setting, instead } = quotas[name];
  const details: QuotaUse = { limit: limits[name], used, setting };
  return new AppError("QUOTA_LIMIT_EXCEEDED", quotaMessage(name, details), {
    details,
    remediation: `${instead}, or have the operator raise ${setting}.`,
  });
}
