// A segment of a path as it was sent: decoded once, and what it decodes to is never split again.

/** The segment's text; one that is no percent-encoding stays as it is. */
export function decodeSegment(segment: string): string {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
