import { Bird } from './bird.ts';
import { Frr } from './frr.ts';
import { Gobgp } from './gobgp.ts';
import type { LabRouter, RouterOptions } from './router.ts';

export const ROUTER_KINDS = ['bird', 'frr', 'gobgp'] as const;
export type RouterKind = (typeof ROUTER_KINDS)[number];

export function startRouter(kind: RouterKind, options: RouterOptions): Promise<LabRouter> {
  switch (kind) {
    case 'bird':
      return Bird.start(options);
    case 'frr':
      return Frr.start(options);
    case 'gobgp':
      return Gobgp.start(options);
  }
}
