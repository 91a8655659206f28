import Type from 'typebox';
import * as Fields from '../model/fields.ts';
import { commonFields } from './common-fields.ts';
import type { CheckType, FieldBuilders } from './definition.ts';

/* Loaded by the thread that reads records, never by a checking thread. */

const builders: FieldBuilders = { ...Fields, Type };

/** The schema of a whole record of this type, with descriptions and defaults. */
export function schemaOf({ type, summary, fields }: CheckType) {
  const name = Type.Literal(type, { description: 'The kind of check.', allowed: JSON.stringify(type) });
  return Fields.closedObject({ type: name, ...commonFields, ...fields(builders) }, { description: summary });
}
