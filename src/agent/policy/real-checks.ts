import { createHash } from 'node:crypto';
import type { WantedCheck } from '../../checks/port.ts';
import { canonicalJson } from '../../core/canonical-json.ts';
import { joinedKey } from '../../core/joined-key.ts';
import type { CheckDefinition } from '../../model/check-definition.ts';
import type { Desired, DesiredReal, DesiredService } from './desired-state.ts';
import { named } from './desired-state.ts';
import { definitionPort, probePortOf } from './probe-port.ts';

/** One check of one real. */
export interface RealCheck {
  /** Name of the check's record. */
  readonly check: string;
  readonly wanted: WantedCheck;
}

/**
 * Finds the checks of reals. A wanted check is known by what is probed and how it is judged, never by names, so that
 * services share it and a rename keeps its verdict.
 */
export class RealChecks {
  readonly #desired: Desired;
  readonly #digests = new Map<string, string>();

  constructor(desired: Desired) {
    this.#desired = desired;
  }

  /** A check that has no port to probe (a real that is held in a service that was edited) is left out. */
  of(service: DesiredService, real: DesiredReal): RealCheck[] {
    const { rise, fall } = service.health;
    const found = real.checks.map((check): RealCheck | null => {
      const definition = named(this.#desired.checks, check);
      const port = definition === undefined ? null : (definitionPort(definition) ?? probePortOf(real, service));
      if (definition === undefined || port === null) return null;
      const key = joinedKey(real.address, port, `${rise}/${fall}`, this.#digestOf(check, definition));
      return { check, wanted: { key, target: { address: real.address, port, definition }, rise, fall } };
    });
    return found.every((one) => one !== null) ? found : found.filter((one) => one !== null);
  }

  #digestOf(check: string, definition: CheckDefinition): string {
    let digest = this.#digests.get(check);
    if (digest === undefined) {
      digest = createHash('sha256').update(canonicalJson(definition)).digest('hex').slice(0, DIGEST_LENGTH);
      this.#digests.set(check, digest);
    }
    return digest;
  }
}

/** 80 bits: far beyond chance for as many definitions as a store can hold. */
const DIGEST_LENGTH = 20;
