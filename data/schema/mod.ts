// Front door of the declarative schema.

export {
  type ApplyOutcome,
  type ApplyRequest,
  Schemas,
  type SchemasParts,
  type ShownStep,
} from "./schemas.ts";
export { isPlatformSegment } from "./names.ts";
