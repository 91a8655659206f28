import { PARTS, isPartName } from './part-table.ts';
import { PART_VARIABLES, requireParts } from './parts.ts';

const names = process.argv.slice(2);
const known = names.filter(isPartName);
const unknown = names.filter((name) => !isPartName(name));
if (names.length === 0 || unknown.length > 0) {
  if (unknown.length > 0) console.error(`unknown part: ${unknown.join(', ')}`);
  console.error(`usage: npx tsx test/lab/parts-main.ts PART…\nparts: ${Object.keys(PARTS).join(' ')}`);
  process.exitCode = 2;
} else {
  try {
    const parts = await requireParts(known);
    for (const name of PART_VARIABLES) {
      if (parts.env[name] !== undefined) console.log(`export ${name}='${parts.env[name]}'`);
    }
  } catch (error) {
    console.error(`lab: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
