/** The header with the turn metadata, and the key of `client_metadata` with the same document. */
export const turnMetadata = 'x-codex-turn-metadata';
