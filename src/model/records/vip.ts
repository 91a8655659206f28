import Type from 'typebox';
import type { Static } from 'typebox';
import { choice, closedObject, hostAddress, integer, name, nestedObject, text } from '../fields.ts';

/** RFC 1997 values as "65000:100", or the names that routers give to well-known ones. */
export const COMMUNITY_PATTERN =
  '^((0|[1-9][0-9]{0,4}):(0|[1-9][0-9]{0,4})|no-export|no-advertise|graceful-shutdown|blackhole)$';
const LARGE_COMMUNITY_PATTERN = '^(0|[1-9][0-9]{0,9}):(0|[1-9][0-9]{0,9}):(0|[1-9][0-9]{0,9})$';

/** Fifteen characters: IFNAMSIZ (linux/if.h) counts the closing zero. */
export const INTERFACE_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_.@-]{0,14}$';
export const INTERFACE_RULE = 'the name of a network interface, at most 15 characters';

export const Silence = nestedObject(
  {
    by: text({ description: 'Who asked for it.' }, 100),
    why: text({ description: 'Why, for whoever reads the status.' }),
  },
  { description: 'Withdrawn from BGP while this is here; nothing else changes.' },
);

const communityParts = (value: string, limit: number): boolean =>
  value.split(':').every((part) => !/^[0-9]+$/.test(part) || Number(part) <= limit);

export const VipRecord = closedObject(
  {
    addresses: Type.Array(hostAddress({ description: 'One address of the VIP.' }), {
      minItems: 1,
      maxItems: 16,
      uniqueItems: true,
      description: 'The addresses that clients connect to: IPv4, IPv6 or both.',
      allowed: 'a list of 1 to 16 different addresses',
    }),
    interface: Type.Union([Type.String({ pattern: INTERFACE_PATTERN, allowed: INTERFACE_RULE }), Type.Null()], {
      default: 'lo',
      description: 'The interface that carries the addresses; null = somebody else puts them there.',
      allowed: `${INTERFACE_RULE}, or null`,
    }),
    advertise: nestedObject(
      {
        when: choice(['any', 'all', 'always', 'never'], {
          default: 'any',
          description: 'Announced while any, or all, of its services hold their quorum; or always; or never.',
        }),
        communities: Type.Array(
          Type.Refine(
            Type.String({
              pattern: COMMUNITY_PATTERN,
              allowed: 'a community: "65000:100", "no-export", "no-advertise", "graceful-shutdown" or "blackhole"',
              description: 'One community.',
            }),
            (value) => communityParts(value, 65_535),
            () => 'must be a community',
          ),
          { maxItems: 63, default: [], description: 'BGP communities (RFC 1997).', allowed: 'a list of communities' },
        ),
        largeCommunities: Type.Array(
          Type.Refine(
            Type.String({
              pattern: LARGE_COMMUNITY_PATTERN,
              allowed: 'a large community: "65000:1:2"',
              description: 'One large community.',
            }),
            (value) => communityParts(value, 4_294_967_295),
            () => 'must be a large community',
          ),
          {
            maxItems: 63,
            default: [],
            description: 'BGP large communities (RFC 8092).',
            allowed: 'a list of large communities',
          },
        ),
        med: Type.Optional(integer(0, 4_294_967_295, { description: 'MULTI_EXIT_DISC; absent = none is sent.' })),
        localPref: Type.Optional(integer(0, 4_294_967_295, { description: 'LOCAL_PREF towards iBGP peers.' })),
        prepend: integer(0, 16, { default: 0, description: 'How many more times our AS appears in AS_PATH.' }),
        peers: Type.Optional(
          Type.Array(name({ description: 'The name of a peer.' }), {
            maxItems: 64,
            description: 'Only these peers hear of the VIP; absent = all of them.',
            allowed: 'a list of names of peers',
          }),
        ),
      },
      { default: {}, description: 'When and how the VIP is announced by BGP.' },
    ),
    silenced: Type.Optional(Silence),
  },
  { description: 'Addresses that are advertised together.' },
);
export type VipRecord = Static<typeof VipRecord>;
