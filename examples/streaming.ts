// Sends an answer bit by bit, as server-sent events, and stops when the reader leaves.
//
//   node examples/deploy.mjs streaming '{"trigger": {"type": "http", "config": {"auth": "none"}}}'
//   curl -N "$API/v1/$APP/fn/streaming?from=3"

export default function handler(req: Request): Response {
  let left = Math.min(Number(new URL(req.url).searchParams.get("from") ?? 5), 60);
  const encoder = new TextEncoder();
  const events = new ReadableStream<Uint8Array>({
    // Called when there is room for more: a slow reader slows this down, and nothing piles up.
    async pull(controller) {
      controller.enqueue(encoder.encode(`data: ${left}\n\n`));
      left--;
      if (left < 0) controller.close();
      else await new Promise((resolve) => setTimeout(resolve, 300));
    },
    cancel: () => console.log(`the reader left at ${left}`),
  });
  return new Response(events, { headers: { "content-type": "text/event-stream" } });
}
