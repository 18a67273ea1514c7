// Front door of REST over an app's tables.

export { parsePreferences, type Preferences } from "./preferences.ts";
export { Rest, type RestAnswer, type RestLimits, type RestParts, type RestRequest } from "./rest.ts";
