import type { CodedError } from '../../core/errors.ts';
import type { ByteWriter } from '../../core/bytes.ts';
import type { Result } from '../../core/result.ts';
import type { AttributeTable } from './attribute-table.ts';
import { readTable, required, writeTable } from './attribute-table.ts';
import type { NetlinkClient } from './client.ts';
import { CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_CMD_GETFAMILY, GENL_ID_CTRL } from './constants.ts';
import type { NetlinkMessage } from './message.ts';

/** struct genlmsghdr (include/uapi/linux/genetlink.h): u8 cmd, u8 version, u16 reserved. */
export const GENL_HEADER_LENGTH = 4;

export function writeGenericHeader(writer: ByteWriter, command: number, version: number): void {
  writer.u8(command).u8(version).u16le(0);
}

const CTRL_VERSION = 2;
const CONTROL = {
  familyId: { id: CTRL_ATTR_FAMILY_ID, type: 'u16' },
  familyName: { id: CTRL_ATTR_FAMILY_NAME, type: 'string' },
} as const satisfies AttributeTable;

/**
 * The message type under which a generic netlink family is spoken to. The kernel answers ENOENT for a family whose
 * module is not loaded.
 */
export function resolveFamily(client: NetlinkClient, name: string): Promise<Result<number | null, CodedError>> {
  return client.get(
    {
      type: GENL_ID_CTRL,
      writePayload: (writer) => {
        writeGenericHeader(writer, CTRL_CMD_GETFAMILY, CTRL_VERSION);
        writeTable(writer, CONTROL, { familyName: name });
      },
    },
    readFamilyId,
  );
}

function readFamilyId({ payload }: NetlinkMessage): number {
  payload.skip(GENL_HEADER_LENGTH);
  return required(readTable(payload, CONTROL).familyId, 'the family number', payload);
}
