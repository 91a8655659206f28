import { ServedCertificate } from '../api/served-certificate.ts';
import { createApi } from '../api/server.ts';
import { isLoopbackOnly, parseListen } from '../api/listen.ts';
import { MetricsRegistry } from '../api/metrics.ts';
import { createSpeaker } from '../bgp/worker-speaker.ts';
import { checkCatalog } from '../checks/decode.ts';
import { createCheckRunner } from '../checks/runner.ts';
import { CodedError, asCodedError, describeError } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { systemClock } from '../core/system-clock.ts';
import { readVersion } from '../core/version.ts';
import { workerEntry } from '../core/worker-entry.ts';
import { createKernelPorts, createSettings } from '../ipvs/create-dataplane.ts';
import { SysctlFiles } from '../ipvs/settings/sysctl-files.ts';
import { RecordDecoder } from '../model/decode.ts';
import { openSource, openStoreClient } from '../sources/open-source.ts';
import { Agent } from './agent.ts';
import { apiTlsLoader } from './api-tls.ts';
import type { LoadedBootstrap } from './bootstrap-file.ts';
import { automaticRouterId } from './router-id.ts';
import { resolveSecret } from './secrets.ts';
import { StoreDesk } from './store-desk.ts';
import { sessionTimeoutMs, storeSettings } from './store-settings.ts';
import { verificationView } from './verification-view.ts';

export interface WiredAgent {
  readonly agent: Agent;
  readonly api: { readonly address: string | null; stop(): Promise<void> };
}

/** At the start the store gets this long before the last known good is put in force. */
const STORE_WAIT_MS = 5_000;

/** Builds every object of the daemon. The API listens already; the agent has not been started. */
export async function wireAgent(bootstrap: LoadedBootstrap, log: Log): Promise<Result<WiredAgent, CodedError>> {
  const clock = systemClock;
  const random = Math.random;
  const version = readVersion();
  const sourceDeps = { clock, random, log: log.child({ part: 'source' }) };
  const certificate = servedCertificate(bootstrap, log.child({ part: 'api' }));
  if (!certificate.ok) return certificate;
  const source = await openSource(storeSettings(bootstrap, 'agent'), sourceDeps);
  if (!source.ok) return source;
  const kernelDeps = { clock, log: log.child({ part: 'kernel' }) };
  const agent = new Agent(
    {
      agent: bootstrap.agent,
      version,
      stateDir: bootstrap.stateDir,
      sessionTimeoutMs: sessionTimeoutMs(bootstrap),
      storeWaitMs: STORE_WAIT_MS,
    },
    {
      source: source.value,
      decoder: new RecordDecoder(checkCatalog),
      checks: createCheckRunner({
        clock,
        random,
        log: log.child({ part: 'checks' }),
        workers: bootstrap.checkWorkers,
        thread: workerEntry('../agent/check-thread', import.meta.url),
      }),
      speaker: createSpeaker({ clock, random, log: log.child({ part: 'bgp' }) }),
      openKernel: (kind) => Promise.resolve(createKernelPorts(kind, kernelDeps)),
      openSettings: (kind) => createSettings(kind, kernelDeps),
      sysctls: new SysctlFiles(),
      routerId: automaticRouterId(),
      resolveSecret,
      localProblems: () => certificate.value?.problems() ?? [],
      clock,
      random,
      log,
    },
  );
  const listen = bootstrap.api.listen === null ? null : parseListen(bootstrap.api.listen);
  const api = createApi({
    status: () => agent.status(),
    freshen: () => agent.freshen(),
    verify: async () => {
      const found = await agent.verify();
      return found.ok ? ok(verificationView(found.value)) : found;
    },
    log: log.child({ part: 'api' }),
    metrics: new MetricsRegistry(
      () => agent.counters,
      () => agent.metricLimits(),
    ),
    listen,
    certificate: certificate.value,
    version,
    desk: operatorDesk(bootstrap, log.child({ part: 'operators' })),
  });
  if (listen !== null && !isLoopbackOnly(listen) && certificate.value === null) {
    log.warn({ listen: bootstrap.api.listen }, 'other machines may read from the API, in plain HTTP: see "api.tls"');
  }
  try {
    const { address } = await api.start();
    return ok({ agent, api: { address, stop: () => api.stop() } });
  } catch (error) {
    // The parts have threads, which would keep the process alive.
    await agent.stop({ kind: 'restart' });
    return err(asCodedError(error, 'API_LISTEN'));
  }
}

/** null = plain HTTP, or none at all. */
function servedCertificate({ api }: LoadedBootstrap, log: Log): Result<ServedCertificate | null, CodedError> {
  if (api.listen === null || api.tls === undefined) return ok(null);
  const load = apiTlsLoader(api.tls);
  const first = load();
  if (first.ok) return ok(new ServedCertificate(first.value, { load, clock: systemClock, log }));
  const faults = first.error.map(({ field, file, found }) => `${field}: ${file}: ${found}`);
  return err(new CodedError('BOOTSTRAP_INVALID', faults.join('; ')));
}

/** Without credentials of the operators' own there is nobody who may write. */
function operatorDesk(bootstrap: LoadedBootstrap, log: Log): StoreDesk | null {
  const { operatorAuth } = bootstrap.store;
  if (operatorAuth === undefined) return null;
  const settings = storeSettings(bootstrap, 'operator');
  return new StoreDesk({
    openStore: () => openStoreClient(settings, { clock: systemClock, random: Math.random, log }),
    credentials: () => {
      const secret = resolveSecret(operatorAuth);
      if (!secret.ok) log.error({ error: describeError(secret.error) }, "the operators' credentials cannot be read");
      return secret;
    },
    checks: checkCatalog,
    agent: bootstrap.agent,
  });
}
