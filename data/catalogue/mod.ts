// Front door of the catalogue: what an app's database holds.

export {
  type Catalogue,
  type Check,
  type Column,
  type ForeignKey,
  type Index,
  isPlatformTable,
  type ReferenceAction,
  type Table,
  tablesFrom,
  type Unique,
} from "./catalogue.ts";
export { type CatalogueApp, Catalogues, type CataloguesParts } from "./catalogues.ts";
