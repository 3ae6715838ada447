import { visibleTexts } from './embedded.ts';
import type { SessionData, TurnPage, WatchMessage, WatchState } from './watch-model.ts';

/** The state after a message. The page keeps no more sessions and turns than the program does. */
export function stateAfter(state: WatchState | undefined, message: WatchMessage): WatchState | undefined {
  if (message.type === 'state') return message.state;
  if (state === undefined) return undefined;
  const { session, dropped } = message;
  const known = state.sessions.find(({ number }) => number === session.number);
  const merged: SessionData = { ...session, turns: mergedTurns(known, session, state.limits.turns) };
  const sessions = [...state.sessions.filter((one) => one !== known), merged];
  return { ...state, dropped, sessions: sessions.slice(-state.limits.sessions) };
}

function mergedTurns(known: SessionData | undefined, { turns }: SessionData, most: number) {
  const byId = new Map((known?.turns ?? []).map((turn) => [turn.id, turn]));
  for (const turn of turns) byId.set(turn.id, turn);
  return [...byId.values()].sort((a, b) => a.id - b.id).slice(-most);
}

/** Receives what happens, until the returned function is called. `onLive` says whether the program can be reached. */
export function subscribe(
  onMessage: (message: WatchMessage) => void,
  onLive: (live: boolean) => void,
): () => void {
  const source = new EventSource('/events');
  source.onopen = () => onLive(true);
  source.onerror = () => onLive(false);
  source.onmessage = ({ data }) => onMessage(visibleTexts(JSON.parse(String(data)) as WatchMessage));
  return () => source.close();
}

/** The frames of a turn; undefined if they are no longer kept. */
export async function fetchTurn(id: number): Promise<TurnPage | undefined> {
  const response = await fetch(`/turns/${id}`);
  if (!response.ok) return undefined;
  const { page, traffic } = (await response.json()) as TurnPage;
  const { shared, ...rest } = page;
  return { page: { ...visibleTexts(rest), shared }, traffic };
}
