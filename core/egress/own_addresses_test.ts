import assert from "node:assert/strict";
import { OwnAddresses, type OwnAddressesParts } from "./own_addresses.ts";

function ownAddresses(
  parts: Partial<OwnAddressesParts> = {},
  names: Record<string, string[]> = {},
): OwnAddresses {
  return new OwnAddresses({
    services: [],
    api: { url: "http://127.0.0.1:4000", listenPort: 4000 },
    allow: [],
    resolve: (name) =>
      name in names ? Promise.resolve(names[name] ?? []) : Promise.reject(new Error("ENOTFOUND")),
    interfaces: () => ["127.0.0.1", "::1"],
    ...parts,
  });
}

Deno.test("a service is denied by name and by every address that the name has had, on its port", async () => {
  const names: Record<string, string[]> = { "db.example.com": ["8.8.4.4"] };
  const own = ownAddresses({ services: [{ host: "db.example.com", port: 5432 }] }, names);
  assert.equal(await own.refresh(), true);
  assert.deepEqual(own.denied, ["db.example.com:5432", "8.8.4.4:5432"]);
  assert.equal(await own.refresh(), false);
  names["db.example.com"] = ["8.8.4.5", "2606:4700::5"];
  assert.equal(await own.refresh(), true);
  assert.deepEqual(own.denied, [
    "db.example.com:5432",
    "8.8.4.4:5432",
    "8.8.4.5:5432",
    "[2606:4700::5]:5432",
  ]);
});

Deno.test("a service whose name does not resolve is denied by name, and one named oddly by address", async () => {
  const services = [{ host: "gone.example.com", port: 1 }, { host: "127.1", port: 2 }];
  const own = ownAddresses({ services }, { "127.1": ["127.0.0.1"] });
  await own.refresh();
  assert.deepEqual(own.denied, ["gone.example.com:1", "127.0.0.1:2"]);
});

Deno.test("the machine's public addresses are denied, private ones are left to their ranges", async () => {
  const own = ownAddresses({
    interfaces: () => ["127.0.0.1", "10.0.0.5", "8.8.4.4", "2606:4700::5", "fe80::1"],
  });
  await own.refresh();
  assert.deepEqual(own.denied, ["8.8.4.4", "[2606:4700::5]"]);
});

Deno.test("the public API stays open: of its address only the port behind its proxy is denied", async () => {
  const api = { url: "https://api.example.com", listenPort: 4000 };
  const own = ownAddresses({ api, interfaces: () => ["8.8.4.4"] }, { "api.example.com": ["8.8.4.4"] });
  await own.refresh();
  assert.deepEqual(own.denied, ["8.8.4.4:4000"]);
  const direct = ownAddresses({
    api: { url: "http://8.8.4.4:4000", listenPort: 4000 },
    interfaces: () => ["8.8.4.4"],
  }, {
    "8.8.4.4": ["8.8.4.4"],
  });
  await direct.refresh();
  assert.deepEqual(direct.denied, []);
});

Deno.test("what the operator names exactly is open, a range that holds it is not enough", async () => {
  const services = [{ host: "8.8.4.4", port: 5432 }];
  const resolve = { "8.8.4.4": ["8.8.4.4"] };
  const exact = ownAddresses({ services, allow: ["8.8.4.4"], interfaces: () => ["8.8.4.4"] }, resolve);
  await exact.refresh();
  assert.deepEqual(exact.denied, []);
  const range = ownAddresses({ services, allow: ["8.8.4.0/24"] }, resolve);
  await range.refresh();
  assert.deepEqual(range.denied, ["8.8.4.4:5432"]);
});
