import type { Effect } from '../agent/policy/effect.ts';
import type { StatusView } from '../model/status.ts';

/** Connections that the kernel of the running agent counts on one real that would leave or be drained. */
export interface AffectedReal {
  /** "web/a". */
  readonly real: string;
  readonly leaves: boolean;
  /** null = not known. */
  readonly active: number | null;
  readonly inactive: number | null;
}

/** The reals that an effect takes traffic from. @param status null = the agent could not be asked */
export function affectedReals({ services }: Effect, status: StatusView | null): readonly AffectedReal[] {
  return services.flatMap(({ service, leaving, drained }) => {
    const gone = new Set(leaving);
    return [...new Set([...leaving, ...drained])].map((name): AffectedReal => {
      const real = status?.services.find((one) => one.name === service)?.reals.find((one) => one.name === name);
      const { activeConnections: active = null, inactiveConnections: inactive = null } = real ?? {};
      return { real: `${service}/${name}`, leaves: gone.has(name), active, inactive };
    });
  });
}
