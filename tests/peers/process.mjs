// How a peer runs: settings from the environment, one line when it is ready, and an end when its parent ends.

/** A setting, or `fallback`; throws when there is neither. */
export function setting(name, fallback) {
  const value = process.env[name] || fallback;
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

/** Listens on 127.0.0.1:PORT (0 or unset: any free port) and prints `{"listening": url}` as its first line. */
export function listen(app) {
  const server = app.listen(Number(setting("PORT", "0")), "127.0.0.1", (error) => {
    if (error) throw error;
    console.log(JSON.stringify({ listening: `http://127.0.0.1:${server.address().port}` }));
  });
  endWith(() => server.close());
  return server;
}

/**
 * Ends on SIGTERM and SIGINT and, where EXIT_WITH_STDIN=1, when standard input ends: a killed test
 * cannot leave its peers behind.
 */
export function endWith(close) {
  const end = async () => {
    await close();
    process.exit(0);
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
  if (process.env.EXIT_WITH_STDIN === "1") process.stdin.once("end", end).once("error", end).resume();
}
