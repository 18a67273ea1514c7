// The bench's results as a picture. Each bar shows how far the way to its goal was gone: one that reaches the line has met
// it, whether more or less is better.

import { formatMachine } from "./machine.ts";
import { formatBar, formatValue, type Results, type Row } from "./results.ts";

const width = 900;
const margin = 16;
const top = 78;
const rowHeight = 58;
/** Where the goal's line stands, and how far a bar may go beyond it. */
const goalAt = 560;
const mostGone = 1.5;

const style = `
  text { font: 14px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 18px; font-weight: 600; }
  .note { font-size: 12px; fill: #59636e; }
  .track { fill: #818b981f; }
  .met { fill: #1a7f37; }
  .missed { fill: #bc4c00; }
  .goal { stroke: #1f2328; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .note { fill: #9198a1; }
    .met { fill: #3fb950; }
    .missed { fill: #db6d28; }
    .goal { stroke: #f0f6fc; }
  }`;

export function chart({ date, machine, rows }: Results): string {
  const height = top + rows.length * rowHeight + margin;
  const met = rows.filter((row) => row.met).length;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title note">
<style>${style}
</style>
<text id="title" class="title" x="${margin}" y="28">The bench: ${met} of ${rows.length} bars met</text>
<text id="note" class="note" x="${margin}" y="48">${escaped(`${date}, ${formatMachine(machine)}`)}</text>
<text class="note" x="${margin}" y="66">A bar that reaches the line meets its goal; beyond it is better.</text>
${rows.map((row, index) => drawn(row, top + index * rowHeight)).join("\n")}
</svg>
`;
}

function drawn(row: Row, y: number): string {
  const { work, value, bar, met, ours, peer } = row;
  const gone = bar.kind === "at least" ? value / bar.value : bar.value / value;
  const length = (Math.min(gone, mostGone) * (goalAt - margin)).toFixed(1);
  const longest = ((goalAt - margin) * mostGone).toFixed(1);
  const goal = `${formatValue(row)}, goal ${formatBar(row)}: ${met ? "met" : "missed"}`;
  return `<g data-work="${escaped(work)}">
<title>${escaped(`${work}: ours ${ours}${peer === "" ? "" : `, ${peer}`}; ${goal}`)}</title>
<text x="${margin}" y="${y + 18}">${escaped(work)}</text>
<text x="${width - margin}" y="${y + 18}" text-anchor="end">${escaped(goal)}</text>
<rect class="track" x="${margin}" y="${y + 26}" width="${longest}" height="16" rx="3"/>
<rect class="${met ? "met" : "missed"}" x="${margin}" y="${y + 26}" width="${length}" height="16" rx="3"/>
<line class="goal" x1="${goalAt}" x2="${goalAt}" y1="${y + 23}" y2="${y + 45}"/>
</g>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(
    '"',
    "&quot;",
  );
}
