// Durations as settings of apps write them: digits and a unit, as in `15m`.

const units = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Seconds of `90s`, `15m`, `1h` or `7d`; `null` for what is not written like that. */
export function durationSeconds(text: string): number | null {
  const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (digits === undefined) return null;
  return Number(digits) * units[unit as keyof typeof units];
}
