import Type from 'typebox';
import type { Static } from 'typebox';

/*
 * What agents write under state/ for other tools. Version 1: fields may be added; a field that changes its meaning
 * makes it version 2.
 */

export const STATE_VERSION = 1;

const Time = Type.String({ description: 'A time in UTC, ISO 8601.' });

const Connections = Type.Object(
  {
    active: Type.Integer({ description: 'Open connections.' }),
    inactive: Type.Integer({ description: 'Connections that are being closed, and those of UDP.' }),
    persistent: Type.Integer({ description: 'Clients that would come back to it (persistence templates).' }),
  },
  { description: 'As the kernel counts them.' },
);

const NullableTime = (description: string) => Type.Union([Time, Type.Null()], { description });

/** What the drains of records and of reals have in common. */
const progress = {
  since: NullableTime('Since when, ISO 8601; null = it has not begun.'),
  connections: Connections,
  deadline: NullableTime('When what is still open is given up, ISO 8601; null = that time does not run (yet).'),
  done: Type.Boolean({ description: 'Nothing of it is in the kernel any more.' }),
};

export const HealthRecord = Type.Object(
  {
    v: Type.Literal(STATE_VERSION, { description: 'Version of the record.' }),
    agent: Type.String({ description: 'Who says so.' }),
    session: Type.String({ description: 'Session or lease that the record lives in.' }),
    revision: Type.String({ description: 'Revision of the configuration that was in force when it was written.' }),
    at: Time,
    validUntil: Type.String({
      description: 'Do not believe the record after this time, ISO 8601: three refreshes were missed then.',
    }),
    quorum: Type.Enum(['held', 'lost'], { description: 'Whether the service has its quorum on this agent.' }),
    advertised: Type.Boolean({ description: 'Whether this agent announces a route to the VIP now.' }),
    reals: Type.Record(
      Type.String(),
      Type.Object({
        target: Type.String({ description: 'Address and port of the real.' }),
        verdict: Type.Enum(['up', 'down', 'unknown'], { description: 'The verdict of the checks.' }),
        since: Time,
        cause: Type.String({ description: 'Why: the result that decided.' }),
        weight: Type.Integer({ description: 'The weight in force in the kernel.' }),
        state: Type.Enum(['enabled', 'drain', 'disabled', 'leaving'], { description: "The operators' wish." }),
        drain: Type.Optional(
          Type.Object(progress, { description: 'How far it is on its way out; absent = it is not on its way out.' }),
        ),
        kept: Type.Optional(Type.Boolean({ description: 'In the pool although it fails: the floor holds it.' })),
      }),
      { description: 'Every real of the service, by name.' },
    ),
  },
  { description: "One agent's view of every real of one service." },
);
export type HealthRecord = Static<typeof HealthRecord>;

export const AgentRecord = Type.Object(
  {
    v: Type.Literal(STATE_VERSION, { description: 'Version of the record.' }),
    agent: Type.String({ description: 'Name of the agent.' }),
    session: Type.String({ description: 'Session or lease that the record lives in.' }),
    version: Type.String({ description: 'Version of vipkeeper.' }),
    startedAt: Time,
    at: Time,
    seenRevision: Type.String({ description: 'Revision that the store holds.' }),
    acceptedRevision: Type.String({ description: 'Revision in force.' }),
    position: Type.String({ description: "The store's own position of the seen revision." }),
    ready: Type.Boolean({ description: 'Whether the agent calls itself ready.' }),
    notReady: Type.Array(Type.String(), { description: 'Why it is not.' }),
    problems: Type.Array(
      Type.Object({
        path: Type.String(),
        field: Type.String(),
        found: Type.String(),
        allowed: Type.String(),
        effect: Type.String(),
      }),
      { description: 'What is wrong with records, at most 100 of them.' },
    ),
    problemCount: Type.Integer({ description: 'How many problems there are in all.' }),
    holds: Type.Array(
      Type.Object({
        revision: Type.String({ description: 'The revision that an approval must name.' }),
        why: Type.String(),
        since: Time,
        lost: Type.Array(Type.String(), { description: 'What the change would take away, at most 100 names.' }),
      }),
      { description: 'Changes that the guard holds.' },
    ),
    drains: Type.Record(
      Type.String(),
      Type.Object({
        target: Type.String({ description: 'What is drained.' }),
        reals: Type.Integer({ description: 'Reals that it drains here, and others that leave meanwhile.' }),
        realsDone: Type.Integer({ description: 'How many of them are out.' }),
        ...progress,
      }),
      { description: 'Drains in force that concern this agent, by name, at most 100.' },
    ),
    peers: Type.Record(
      Type.String(),
      Type.Object({ address: Type.String(), state: Type.String(), since: Time, announced: Type.Integer() }),
      { description: 'BGP peers, by name.' },
    ),
  },
  { description: 'One agent about itself.' },
);
export type AgentRecord = Static<typeof AgentRecord>;
