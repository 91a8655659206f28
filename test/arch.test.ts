import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/*
 * The import directions of docs/architecture.md. A wrong arrow fails here with the file that draws it.
 */

const ROOT = resolve(import.meta.dirname, '..');

/** What each room may import from other rooms. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  model: ['core'],
  sources: ['core', 'model'],
  ipvs: ['core', 'model'],
  checks: ['core', 'model'],
  bgp: ['core', 'model'],
  api: ['core', 'model'],
  agent: ['core', 'model', 'sources', 'ipvs', 'checks', 'bgp', 'api'],
  cli: ['core', 'model', 'sources', 'checks', 'api', 'agent'],
};

/**
 * The only files that make objects out of the leaves' concrete classes: one for the process, and one for the checking
 * threads. Nothing but messages passes into a thread, so what a check there takes from another leaf (the ZooKeeper
 * session, of the sources) can only be handed over to it inside the thread.
 */
const COMPOSITION_ROOTS = ['src/agent/check-thread.ts', 'src/agent/wire.ts'];

/** What the agent's other files may take from a leaf: ports, and pure functions over their types. */
const PORT_FILES = [
  'src/sources/source.ts',
  'src/sources/credentials.ts',
  'src/ipvs/dataplane.ts',
  'src/ipvs/addresses.ts',
  'src/ipvs/describe.ts',
  'src/ipvs/equality.ts',
  'src/ipvs/traffic.ts',
  'src/ipvs/nftables/abilities.ts',
  'src/ipvs/settings/settings.ts',
  'src/checks/port.ts',
  'src/bgp/port.ts',
];

/** Names of the outside world that a function that only decides has no use for. */
const IMPURE =
  /\b(setTimeout|setInterval|setImmediate|Date\.now|new Date\(\)|performance|process|console|Math\.random)\b/;

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

const FILES = sourceFiles('src');

function importsOf(file: string): Import[] {
  const tree = ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.ES2022);
  const found: Import[] = [];
  const note = (specifier: ts.Expression | undefined, typeOnly: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    const { text } = specifier;
    const to = text.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file), text)) : text;
    found.push({ from: file, to, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      note(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node)) note(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      note(node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

const IMPORTS = FILES.flatMap(importsOf);
const INSIDE = IMPORTS.filter(({ to }) => to.startsWith('src/'));

const roomOf = (file: string): string => file.split('/')[1] ?? '';
const arrow = ({ from, to }: Import): string => `${from} -> ${to}`;

/** Ways on which a file imports itself, one at least wherever there are any: 'a.ts -> b.ts -> a.ts'. */
function circlesOf(imports: readonly Pick<Import, 'from' | 'to'>[]): string[] {
  const imported = new Map<string, Set<string>>();
  for (const { from, to } of imports) imported.set(from, (imported.get(from) ?? new Set()).add(to));
  const circles: string[] = [];
  const done = new Set<string>();
  const follow = (file: string, way: readonly string[]): void => {
    const start = way.indexOf(file);
    if (start !== -1) circles.push([...way.slice(start), file].join(' -> '));
    else if (!done.has(file)) {
      for (const next of imported.get(file) ?? []) follow(next, [...way, file]);
      done.add(file);
    }
  };
  for (const file of imported.keys()) follow(file, []);
  return circles;
}

describe('the import directions', () => {
  it('are read from all rooms', () => {
    expect([...new Set(FILES.map(roomOf))].sort()).toEqual(Object.keys(MAY_IMPORT).sort());
    expect(INSIDE.length).toBeGreaterThan(200);
  });

  it.each(Object.entries(MAY_IMPORT))('%s imports only from %j', (room, allowed) => {
    const wrong = INSIDE.filter(({ from, to }) => roomOf(from) === room && ![room, ...allowed].includes(roomOf(to)));
    expect(wrong.map(arrow)).toEqual([]);
  });

  it('core imports no package, and of Node only what finds its own files', () => {
    const outside = IMPORTS.filter(({ from, to }) => roomOf(from) === 'core' && !to.startsWith('src/'));
    expect(outside.map(arrow).sort()).toEqual([
      'src/core/version.ts -> node:fs',
      'src/core/worker-entry.ts -> node:module',
      'src/core/worker-entry.ts -> node:url',
    ]);
  });

  it("only the composition roots make objects of the leaves' classes", () => {
    const leaves = ['sources', 'ipvs', 'checks', 'bgp', 'api'];
    const concrete = INSIDE.filter(
      ({ from, to, typeOnly }) =>
        roomOf(from) === 'agent' && leaves.includes(roomOf(to)) && !typeOnly && !PORT_FILES.includes(to),
    );
    expect([...new Set(concrete.map(({ from }) => from))].sort()).toEqual(COMPOSITION_ROOTS);
  });
});

describe('circles of imports', () => {
  const of = (...arrows: string[]): string[] =>
    circlesOf(arrows.map((text) => ({ from: text.slice(0, 1), to: text.slice(-1) })));

  it('are found wherever they begin, and named file by file', () => {
    expect(of('a>b', 'b>c', 'c>d', 'd>b')).toEqual(['b -> c -> d -> b']);
    expect(of('a>a')).toEqual(['a -> a']);
    expect(of('a>b', 'b>a', 'c>a', 'c>d', 'd>c')).toEqual(['a -> b -> a', 'c -> d -> c']);
    expect(of('a>b', 'a>c', 'b>d', 'c>d', 'd>e')).toEqual([]);
  });

  it('are nowhere: what two files need of each other has a file of its own, types too', () => {
    expect(circlesOf(INSIDE)).toEqual([]);
  });
});

describe('functions that decide', () => {
  const PURE = FILES.filter((file) => file.startsWith('src/agent/policy/'));

  it('are there', () => {
    expect(PURE.length).toBeGreaterThan(20);
  });

  it('import nothing of Node but hashing', () => {
    const wrong = IMPORTS.filter(
      ({ from, to }) => PURE.includes(from) && !to.startsWith('src/') && to !== 'node:crypto',
    );
    expect(wrong.map(arrow)).toEqual([]);
  });

  it('do not use the rest of the agent, which does', () => {
    const wrong = INSIDE.filter(
      ({ from, to }) => PURE.includes(from) && roomOf(to) === 'agent' && !to.startsWith('src/agent/policy/'),
    );
    expect(wrong.map(arrow)).toEqual([]);
  });

  it.each(PURE)('%s knows neither time nor chance nor promises', (file) => {
    const text = readFileSync(join(ROOT, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    expect(IMPURE.exec(text)?.[0]).toBeUndefined();
    expect(/\b(async|await|Promise)\b/.exec(text)?.[0]).toBeUndefined();
  });
});
