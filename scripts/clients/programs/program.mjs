// What all Node programs share. A program plays conversations with one library, and prints what it has played.
import assert from 'node:assert/strict';

export const model = process.env.MODEL;
export const baseURL = process.env.OPENAI_BASE_URL;
export const apiKey = process.env.OPENAI_API_KEY;

export const instructions = 'You are brief.';
export const toolPrompt = 'Use the tool for Paris.';
export const nextPrompt = 'And tomorrow?';

/** What the weather tool returns; the last text of each conversation must contain it. */
export const weather = 'sunny, 21 degrees';

export async function play(name, work) {
  try {
    await work();
  } catch (error) {
    throw new Error(`${name}: ${error?.message ?? error}`, { cause: error });
  }
  console.log(`played: ${name}`);
}

/** Fails unless a text contains all parts. */
export function includes(text, ...parts) {
  for (const part of parts) assert.ok(String(text).includes(part), `"${part}" is missing in: ${text}`);
}

export function equals(actual, expected) {
  assert.deepEqual(actual, expected);
}
