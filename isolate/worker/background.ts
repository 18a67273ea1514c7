// Waits for promises that were given to waitUntil, and for those that are given meanwhile, for so long as they may take.

const setTimer = setTimeout;
const clearTimer = clearTimeout;

/** How many did not settle in time. */
export async function backgroundOver(
  background: readonly Promise<unknown>[],
  { waitUntilMs }: { waitUntilMs: number },
): Promise<number> {
  let pending = 0;
  let timer = 0;
  const timeUp = new Promise<"time_up">((resolve) => {
    timer = setTimer(() => resolve("time_up"), waitUntilMs) as unknown as number;
  });
  // Promises may be added while others are awaited.
  for (let done = 0; done < background.length && pending === 0;) {
    const batch = background.slice(done);
    done = background.length;
    if (await Promise.race([Promise.all(batch), timeUp]) === "time_up") pending = await countPending(batch);
  }
  clearTimer(timer);
  return pending;
}

async function countPending(promises: readonly Promise<unknown>[]): Promise<number> {
  const pending = Symbol();
  const states = await Promise.all(
    promises.map((promise) => Promise.race([promise, Promise.resolve(pending)])),
  );
  return states.filter((state) => state === pending).length;
}
