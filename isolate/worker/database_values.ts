// JavaScript values to PostgreSQL's text format and back, as the contract's table says: int8 is a number while that is
// exact, else a string; numeric is a string; json is parsed; dates and timestamps are Date; bytea is Uint8Array.

import { type Bytes } from "../protocol/frames.ts";

const decoder = new TextDecoder();

/** A parameter in text format, whose type PostgreSQL infers; `null` is NULL. */
export function encodeParameter(value: unknown): string | null {
  switch (typeof value) {
    case "undefined":
      return null;
    case "string":
      return value;
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    case "object":
      return value === null ? null : encodeObject(value);
    default:
      throw new TypeError(
        `A ${typeof value} cannot be a query parameter: pass a string, number, boolean, Date, Uint8Array, array or object`,
      );
  }
}

function encodeObject(value: object): string {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new TypeError("An invalid Date cannot be a query parameter");
    return value.toISOString();
  }
  if (value instanceof ArrayBuffer) return encodeBytes(new Uint8Array(value));
  if (ArrayBuffer.isView(value)) {
    return encodeBytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }
  if (Array.isArray(value)) return encodeArray(value);
  return JSON.stringify(value);
}

function encodeBytes(bytes: Uint8Array): string {
  return `\\x${bytes.toHex()}`;
}

function encodeArray(values: readonly unknown[]): string {
  const items = values.map((value) => {
    if (Array.isArray(value)) return encodeArray(value);
    const text = encodeParameter(value);
    return text === null ? "NULL" : `"${text.replace(/["\\]/g, "\\$&")}"`;
  });
  return `{${items.join(",")}}`;
}

type Decode = (bytes: Bytes) => unknown;

/** Most values are a few ASCII characters, for which the decoder's way out of JavaScript and back costs more. */
const shortBytes = 24;

const { fromCharCode } = String;

function toText(bytes: Bytes): string {
  if (bytes.length > shortBytes) return decoder.decode(bytes);
  let text = "";
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte > 0x7f) return decoder.decode(bytes);
    text += fromCharCode(byte);
  }
  return text;
}

const asText: Decode = toText;
const asNumber: Decode = (bytes) => Number(toText(bytes));
const asBoolean: Decode = (bytes) => bytes[0] === 0x74;
const asJson: Decode = (bytes) => JSON.parse(decoder.decode(bytes));
const asInt8: Decode = (bytes) => {
  const text = toText(bytes);
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
};
const asBytes: Decode = (bytes) => Uint8Array.fromHex(decoder.decode(bytes.subarray(2)));

/** `infinity`, and dates that JavaScript has no value for, stay text. */
const asDate: Decode = (bytes) => {
  const text = toText(bytes);
  const parts = /^(\d{4})-(\d\d)-(\d\d)(?: (\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d(?::\d\d)?(?::\d\d)?)?)?$/.exec(
    text,
  );
  if (parts === null) return text;
  const [, year, month, day, time = "00:00:00", zone = "+00"] = parts;
  const date = new Date(`${year}-${month}-${day}T${time}${zone.length === 3 ? `${zone}:00` : zone}`);
  return Number.isNaN(date.getTime()) ? text : date;
};

const scalars: [oid: number, arrayOid: number, decode: Decode][] = [
  [16, 1000, asBoolean],
  [17, 1001, asBytes],
  [20, 1016, asInt8],
  [21, 1005, asNumber],
  [23, 1007, asNumber],
  [26, 1028, asNumber],
  [700, 1021, asNumber],
  [701, 1022, asNumber],
  [114, 199, asJson],
  [3802, 3807, asJson],
  [1082, 1182, asDate],
  [1114, 1115, asDate],
  [1184, 1185, asDate],
  // Text in both forms: text, varchar, bpchar, name, numeric, uuid, time, timetz, interval, inet, cidr, xml.
  ...[
    [25, 1009],
    [1043, 1015],
    [1042, 1014],
    [19, 1003],
    [1700, 1231],
    [2950, 2951],
    [1083, 1183],
    [1266, 1270],
    [
      1186,
      1187,
    ],
    [869, 1041],
    [650, 651],
    [142, 143],
  ].map(([oid, array]) => [oid, array, asText] as [number, number, Decode]),
];

const decoders = new Map<number, Decode>();
const encoder = new TextEncoder();
for (const [oid, arrayOid, decode] of scalars) {
  decoders.set(oid, decode);
  decoders.set(
    arrayOid,
    (bytes) => decodeArray(decoder.decode(bytes), (text) => decode(encoder.encode(text))),
  );
}

/** Turns a value of the type with this oid into JavaScript; types that are not known stay text. */
export function decoderOf(oid: number): Decode {
  return decoders.get(oid) ?? asText;
}

/** Reads PostgreSQL's array text, as `{1,NULL,"a\"b",{…}}`, with or without explicit bounds before it. */
export function decodeArray(text: string, decode: (item: string) => unknown): unknown[] {
  let at = text.indexOf("{");
  const list = (): unknown[] => {
    const items: unknown[] = [];
    at++;
    while (at < text.length && text[at] !== "}") {
      if (text[at] === "{") items.push(list());
      else if (text[at] === '"') items.push(decode(quoted()));
      else {
        const start = at;
        while (at < text.length && text[at] !== "," && text[at] !== "}") at++;
        const item = text.slice(start, at);
        items.push(item === "NULL" ? null : decode(item));
      }
      if (text[at] === ",") at++;
    }
    at++;
    return items;
  };
  const quoted = (): string => {
    let item = "";
    for (at++; at < text.length && text[at] !== '"'; at++) {
      if (text[at] === "\\") at++;
      item += text[at];
    }
    at++;
    return item;
  };
  return list();
}
