import type { Effective, EffectiveReal, EffectiveService } from './effective-state.ts';
import type { VipAdvertisement } from './routes.ts';

/** What a pass decided, as far as it can be news. */
export interface Decided {
  readonly effective: Effective;
  readonly vips: ReadonlyMap<string, VipAdvertisement>;
}

/** Something that was decided otherwise than in the pass before. */
export interface News {
  /** Such as "real web/a is down". */
  readonly what: string;
  readonly why: string;
  /** Less of the service than before: what somebody looks for who asks what happened in the night. */
  readonly grave: boolean;
}

/**
 * What changed between two passes, and why. The first verdicts after a start are no news unless they are bad. Costs
 * nothing for services on which nothing was decided anew: they are the same objects.
 * @param before null = this was the first pass
 */
export function newsOf(before: Decided | null, after: Decided): readonly News[] {
  const news: News[] = [];
  for (const [name, vip] of after.vips) news.push(...newsOfVip(before?.vips.get(name), vip));
  for (const [name, { advertised }] of before?.vips ?? []) {
    if (!advertised || after.vips.has(name)) continue;
    news.push({ what: `VIP ${name} is withdrawn`, why: 'nothing of it is configured here any more', grave: true });
  }
  for (const [name, service] of after.effective.services) {
    const old = before?.effective.services.get(name);
    if (old !== service) news.push(...newsOfService(old, service));
  }
  return news;
}

function newsOfVip(before: VipAdvertisement | undefined, { name, advertised, reason }: VipAdvertisement): News[] {
  if ((before?.advertised ?? false) === advertised) return [];
  const what = `VIP ${name} is ${advertised ? 'announced' : 'withdrawn'}`;
  return [{ what, why: reason, grave: !advertised }];
}

function newsOfService(before: EffectiveService | undefined, after: EffectiveService): News[] {
  const news: News[] = [];
  const { name, state, stateReason, quorum, sorry } = after;
  if (before !== undefined && before.state !== state) {
    news.push({ what: `service ${name} is ${IN_WORDS[state]}`, why: stateReason, grave: state !== 'enabled' });
  }
  if (before !== undefined && before.quorum.state !== quorum.state) {
    const lost = quorum.state === 'lost';
    news.push({ what: `service ${name} ${lost ? 'has lost its' : 'has a'} quorum`, why: quorum.cause, grave: lost });
  }
  if ((before?.sorry ?? false) !== sorry) {
    const what = `the sorry server of service ${name} ${sorry ? 'takes the' : 'has no more'} traffic`;
    news.push({ what, why: quorum.cause, grave: sorry });
  }
  for (const [real, now] of after.reals) news.push(...newsOfReal(`${name}/${real}`, before?.reals.get(real), now));
  return news;
}

const IN_WORDS = { enabled: 'enabled', drain: 'drained', disabled: 'disabled' } as const;

function newsOfReal(name: string, before: EffectiveReal | undefined, after: EffectiveReal): News[] {
  if (before === after) return [];
  const news: News[] = [];
  const { verdict, state, kept, reason } = after;
  if ((before?.verdict.state ?? 'unknown') !== verdict.state && !isFirstSuccess(before, after)) {
    news.push({ what: `real ${name} is ${verdict.state}`, why: verdict.cause, grave: verdict.state !== 'up' });
  }
  if (before !== undefined && before.state !== state) {
    news.push({ what: `real ${name} is ${IN_WORDS[state]}`, why: reason, grave: false });
  }
  if ((before?.kept ?? false) !== kept) {
    const what = `real ${name} is ${kept ? 'kept in, although it fails' : 'kept in no more'}`;
    news.push({ what, why: reason, grave: kept });
  }
  return news;
}

function isFirstSuccess(before: EffectiveReal | undefined, after: EffectiveReal): boolean {
  return after.verdict.state === 'up' && before?.undecided !== false;
}
