// A stand-in for an npm registry, for tests: serves packages made up on the spot, and nothing else.

import { createHash } from "node:crypto";

/** Files of one package by path; `package.json` is completed with name and version. */
export type PackageFiles = Readonly<Record<string, string>>;

export interface NpmRegistry extends AsyncDisposable {
  readonly url: string;
  /** Paths asked for so far. */
  readonly asked: readonly string[];
}

/** Serves each package as its only version, 1.0.0, on a free port until disposed. */
export function serveNpmRegistry(packages: Readonly<Record<string, PackageFiles>>): NpmRegistry {
  const asked: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname, origin } = new URL(request.url);
    asked.push(pathname);
    const name = decodeURIComponent(pathname.slice(1)).replace(/\/-\/archive\.tgz$/, "");
    const files = packages[name];
    if (files === undefined) return new Response("{}", { status: 404 });
    const manifest = { name, version: "1.0.0", ...JSON.parse(files["package.json"] ?? "{}") };
    const archive = await gzip(tarball({ ...files, "package.json": JSON.stringify(manifest) }));
    if (pathname.endsWith(".tgz")) return new Response(archive);
    const integrity = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
    const dist = { tarball: `${origin}/${name}/-/archive.tgz`, integrity };
    return Response.json({
      name,
      "dist-tags": { latest: "1.0.0" },
      versions: { "1.0.0": { ...manifest, hasInstallScript: true, dist } },
    });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    asked,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A tar archive as npm packs it: every file below `package/`; a text `-> target` makes a symbolic link. */
function tarball(files: PackageFiles): Blob {
  const encoder = new TextEncoder();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (const [path, text] of Object.entries(files)) {
    const target = text.startsWith("-> ") ? text.slice(3) : undefined;
    const body = encoder.encode(target === undefined ? text : "");
    const header = new Uint8Array(512);
    const put = (value: string, offset: number) => header.set(encoder.encode(value), offset);
    put(`package/${path}`, 0);
    put("0000644\0", 100);
    put("0000000\0", 108);
    put("0000000\0", 116);
    put(`${body.length.toString(8).padStart(11, "0")}\0`, 124);
    put("00000000000\0", 136);
    put("        ", 148);
    put(target === undefined ? "0" : "2", 156);
    put(target ?? "", 157);
    put("ustar\x0000", 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    parts.push(header, body, new Uint8Array((512 - body.length % 512) % 512));
  }
  return new Blob([...parts, new Uint8Array(1024)]);
}

async function gzip(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(
    await new Response(blob.stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
  );
}
