// What each client says when a call is refused, recorded in expectations.json and compared since.
// RECORD=1 rewrites the record: read the difference before it is committed.
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("./expectations.json", import.meta.url);

// Figures of one run say nothing about the next; error codes, which are negative, do.
export const normalise = (text) =>
  text
    .replace(/0x[0-9a-fA-F]+/g, "0x…")
    .replace(/(?<![-\w])[0-9]+\b/g, "N")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join(" | ");

export function compare(client, call, text) {
  const recorded = JSON.parse(readFileSync(file, "utf8"));
  const said = normalise(text);
  if (process.env.RECORD === "1") {
    (recorded[client] ??= {})[call] = said;
    writeFileSync(file, JSON.stringify(recorded, null, 2) + "\n");
  }
  const expected = recorded[client]?.[call];
  return { passed: said === expected, detail: said === expected ? said : `said "${said}", recorded "${expected}"` };
}

// As a command: node expectations.mjs CLIENT CALL < what it said
if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [client, call] = process.argv.slice(2);
  const { passed, detail } = compare(client, call, readFileSync(0, "utf8"));
  console.log(`${passed ? "ok  " : "FAIL"} ${client} ${call}: ${detail}`);
  process.exit(passed ? 0 : 1);
}
