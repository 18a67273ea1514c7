import assert from "node:assert/strict";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const forms: Record<string, string> = {
  "export default async function":
    `export default async function handler(req, ctx) { return new Response("ok " + ctx.request.functionName); }`,
  "an anonymous default arrow": `export default (req, ctx) => new Response("ok " + ctx.request.functionName)`,
  "export async function handler":
    `export async function handler(req: Request, ctx: any): Promise<Response> { return new Response("ok " + ctx.request.functionName); }`,
  "export const handler":
    `export const handler = (req: Request, ctx: any) => new Response("ok " + ctx.request.functionName);`,
  "export default { fetch }":
    `export default { async fetch(req: Request, ctx: any) { return new Response("ok " + ctx.request.functionName); } };`,
  "Deno.serve(handler)":
    `Deno.serve((req: Request, ctx: any) => new Response("ok " + ctx.request.functionName));`,
};
for (const [form, code] of Object.entries(forms)) {
  Deno.test(`a handler may be written as ${form}`, async () => {
    const app = await p.createApp();
    const url = await p.deploy(app, "form", code);
    const response = await fetch(url);
    assert.equal(await response.text(), "ok form");
    assert.equal(response.status, 200);
  });
}
