// Comma lists of the query language. In both kinds a text in double quotes stands for itself, with `\"` and `\\` inside.

/** Splits `a,"b,c".desc,f(x,y)` at the commas outside quotes and parentheses; `null` when one of these is left open. */
export function splitTerms(text: string): string[] | null {
  const terms: string[] = [];
  let [start, depth, quoted] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (quoted) {
      if (character === "\\") at++;
      else if (character === '"') quoted = false;
    } else if (character === '"' && (at === start || "(.,".includes(text[at - 1] as string))) quoted = true;
    else if (character === "(") depth++;
    else if (character === ")" && --depth < 0) return null;
    else if (character === "," && depth === 0) {
      terms.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  if (quoted || depth > 0) return null;
  return [...terms, text.slice(start).trim()];
}

/**
 * The values of `a,b` or `(a,b)`, trimmed. Clients join values as they are, so a quote counts only where it wraps a whole
 * value, and a parenthesis nowhere else than around all.
 */
export function listValues(text: string): string[] {
  const inner = text.startsWith("(") && text.endsWith(")") ? text.slice(1, -1) : text;
  const values: string[] = [];
  const item = /\s*(?:("(?:[^"\\]|\\.)*")\s*(?=,|$)|([^,]*))(,|$)/gs;
  for (let end = ","; end === ",";) {
    const [, quoted, plain = "", separator = ""] = item.exec(inner) as RegExpExecArray;
    values.push(quoted === undefined ? plain.trim() : unquoted(quoted));
    end = separator;
  }
  return values;
}

/** What a text in double quotes stands for; any other stands for itself. */
export function unquoted(text: string): string {
  if (!/^"(?:[^"\\]|\\.)*"$/s.test(text)) return text;
  return text.slice(1, -1).replaceAll(/\\(.)/gs, "$1");
}

/** Divides `name.rest`, where the name may be in quotes. */
export function splitName(text: string): { name: string; rest: string | null } {
  const quoted = /^("(?:[^"\\]|\\.)*")(?:\.(.*))?$/s.exec(text);
  if (quoted !== null) return { name: unquoted(quoted[1] as string), rest: quoted[2] ?? null };
  const dot = text.indexOf(".");
  return dot < 0 ? { name: text, rest: null } : { name: text.slice(0, dot), rest: text.slice(dot + 1) };
}
