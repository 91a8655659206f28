/**
 * Waits for something outside this process to become true, by asking again and again: for real servers and kernels
 * only, where no clock can be injected. Fails with the last error or answer once the deadline has passed. The deadline
 * only ends a hang, so it is far beyond what the slowest machine needs: how fast something is, is for bench/ to say.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | null | Promise<T | undefined | false | null>,
  options: { readonly timeoutMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const { timeoutMs = 30_000, everyMs = 25 } = options;
  const deadline = performance.now() + timeoutMs;
  let last: unknown = 'never asked';
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false && answer !== null) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const text = last instanceof Error ? last.message : String(last);
      throw new Error(`still not so after ${timeoutMs} ms: ${what} (last: ${text})`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
