import { request } from 'node:http';

/** One command to a demo program over its Unix socket, which is reached from every network namespace. */
export function control(socketPath: string, command: string, body: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: `/${command}`, method: 'POST' }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text) as unknown);
        else reject(new Error(`${command}: ${text}`));
      });
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

/** What the load client counted. */
export interface Tally {
  readonly requests: number;
  readonly failed: number;
  /** Text of the answer → how often. */
  readonly answers: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

export interface Download {
  readonly ok: boolean;
  readonly text: string;
  readonly ms: number;
}

export class LoadClient {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  async get(url: string, count: number, timeoutMs = 2_000): Promise<Tally> {
    return (await control(this.#socket, 'get', { url, count, timeoutMs })) as Tally;
  }

  async startLoad(url: string, everyMs: number, timeoutMs = 10_000): Promise<void> {
    await control(this.#socket, 'load', { url, everyMs, timeoutMs });
  }

  async endLoad(): Promise<Tally> {
    return (await control(this.#socket, 'unload')) as Tally;
  }

  async startDownload(url: string, timeoutMs = 60_000): Promise<void> {
    await control(this.#socket, 'download', { url, timeoutMs });
  }

  async endDownload(): Promise<Download> {
    return (await control(this.#socket, 'downloaded')) as Download;
  }
}

/** The operator's own tool, with the record's path under the root. */
export class Outsider {
  readonly #socket: string;
  readonly #root = '/vipkeeper';

  constructor(socket: string) {
    this.#socket = socket;
  }

  async put(path: string, record: unknown): Promise<void> {
    const text = typeof record === 'string' ? record : JSON.stringify(record);
    await control(this.#socket, 'put', { path: `${this.#root}/${path}`, text });
  }

  async remove(path: string): Promise<void> {
    await control(this.#socket, 'remove', { path: `${this.#root}/${path}` });
  }

  async removeTree(path: string): Promise<void> {
    await control(this.#socket, 'removeTree', { path: `${this.#root}/${path}` });
  }

  async read(path: string): Promise<unknown> {
    const { value } = (await control(this.#socket, 'read', { path: `${this.#root}/${path}` })) as {
      readonly value: string | null;
    };
    return value === null ? null : (JSON.parse(value) as unknown);
  }
}
