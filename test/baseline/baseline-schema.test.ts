import { expect, it } from 'vitest';
import { z } from 'zod';
import { baselineSchema } from '../../src/baseline/baseline-file.ts';

it('has the schema that docs/ shows', async () => {
  const schema = z.toJSONSchema(baselineSchema, { target: 'draft-7', io: 'input' });
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot('../../docs/baseline.schema.json');
});
