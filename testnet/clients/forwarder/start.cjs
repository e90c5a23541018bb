// The package's own entry point; it has no command. Settings are its environment variables.
const { runFullnode } = require("@eth-optimism/rollup-full-node/build/src/exec/fullnode");

runFullnode().catch((error) => {
  console.error(error);
  process.exit(1);
});
