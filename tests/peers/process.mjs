// How a peer runs: settings from the environment, one line when it is ready, and an end when its parent ends.

/** A setting, or `fallback`; throws when there is neither. */
export function setting(name, fallback) {
  const value = process.env[name] || fallback;
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

/** Listens on 127.0.0.1:PORT (0 or unset: any free port) and prints `{"listening": url, ...more}` as its first line. */
export function listen(app, more = {}) {
  const server = app.listen(Number(setting("PORT", "0")), "127.0.0.1", (error) => {
    if (error) throw error;
    console.log(JSON.stringify({ listening: `http://127.0.0.1:${server.address().port}`, ...more }));
  });
  endWith(() => server.close());
  return server;
}

const closing = [];

/**
 * Ends on SIGTERM and SIGINT and, where EXIT_WITH_STDIN=1, when standard input ends: a killed test
 * cannot leave its peers behind. What more than one caller has to close is closed together.
 */
export function endWith(close) {
  closing.push(close);
  if (closing.length > 1) return;
  const end = async () => {
    await Promise.all(closing.map((closeOne) => closeOne()));
    process.exit(0);
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
  if (process.env.EXIT_WITH_STDIN === "1") process.stdin.once("end", end).once("error", end).resume();
}
