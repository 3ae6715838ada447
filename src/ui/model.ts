/**
 * The data of a page, as it is embedded. It says nothing of where it comes from: a check writes all of it at once, and
 * the live page fetches that of a turn. All texts are plain: the page shows them as text, never as markup.
 */
export type PageData = {
  /** What was compared. */
  readonly title: string;
  readonly ok: boolean;
  /** The result, in one sentence. */
  readonly headline: string;
  /** What else there is to know, in a few words each. */
  readonly facts: readonly string[];
  /** The most harmful first. */
  readonly causes: readonly CauseData[];
  readonly conversations: readonly ConversationData[];
  /** What was not checked or failed, and other remarks. */
  readonly notes: readonly NoteData[];
  /** Texts that several frames have. A text refers to others by their index. */
  readonly shared: readonly SharedText[];
};

export type NoteData = { readonly kind: 'failed' | 'not checked' | 'note'; readonly text: string };

/** How much harm a difference does, the worst first. */
export const levels = ['breaks', 'identity', 'shape'] as const;
export type Level = (typeof levels)[number];

/** One thing that is wrong, over all conversations. */
export type CauseData = {
  /** Unique in the page, and the same in the next report. */
  readonly id: string;
  readonly code: string;
  readonly level: Level;
  readonly title: string;
  /** In which conversations, in a few words. */
  readonly where: string;
  readonly place: string;
  readonly expected: string | null;
  readonly actual: string | null;
  readonly effect: string | null;
  readonly why: string;
  readonly fix: string | null;
  /** Two orders of names. */
  readonly orders?: { readonly expected: readonly string[]; readonly actual: readonly string[] };
  /** Why it is accepted, if it is. */
  readonly accepted?: string;
  readonly comparisons: readonly string[];
  /** Indices of the conversations that show it. */
  readonly conversations: readonly number[];
};

export type ConversationData = {
  /** Unique in the page, such as `0.169.0/chatgpt/fast`. */
  readonly id: string;
  /** Conversations of one group are a column of the overview, those of one name a row. */
  readonly group: string;
  readonly name: string;
  readonly verdict: VerdictData;
  readonly comparisons: readonly { readonly name: string; readonly verdict: VerdictData }[];
  readonly findings: readonly FindingData[];
  /** Files with its traffic, as paths. */
  readonly files: readonly string[];
  /** Whether the page has its traffic: the element of the page with the id `traffic-` and its index. */
  readonly traffic: boolean;
};

export type VerdictData = {
  readonly type: 'ok' | 'findings' | 'not checked' | 'failed';
  readonly reason?: string;
};

export type FindingData = {
  /** Index of its cause. */
  readonly cause: number;
  readonly comparisons: readonly string[];
  readonly places: readonly string[];
  readonly expected: string | null;
  readonly actual: string | null;
};

/** A text in parts: literal ones, and shared ones by their index. */
export type SharedText = readonly (string | number)[];

/** The traffic of a conversation, once for each way in which it was played. */
export type TrafficData = { readonly variants: readonly TrafficVariant[] };

export type TrafficVariant = {
  readonly label: string;
  readonly variables: readonly VariableData[];
  readonly tracks: readonly TrackData[];
  readonly views: readonly ViewData[];
  /** The tracks of the timeline, from the client to the backend, as indices; each is a connection between two parties. */
  readonly timeline: { readonly parties: readonly string[]; readonly tracks: readonly number[] };
};

export type VariableData = {
  readonly name: string;
  readonly description: string;
  /** Its value in the recorded tracks, if it has one there. */
  readonly value?: string;
};

/** What one tap saw, or a pattern of it. */
export type TrackData = {
  readonly name: string;
  /** Strings may contain variables. */
  readonly pattern: boolean;
  readonly exchanges: readonly string[];
  readonly frames: readonly FrameData[];
};

/** One thing that was sent: the head of a request or response, a message, an event, a body, or the end. */
export type FrameData = {
  readonly exchange: number;
  readonly from: 'client' | 'backend';
  readonly kind: 'request' | 'response' | 'message' | 'event' | 'body' | 'end';
  readonly title: string;
  /** Milliseconds since the recording began. */
  readonly at?: number;
  /** How it was sent, in a few words each. */
  readonly notes: readonly string[];
  /** The first line of a head, or of an event with a name. */
  readonly line?: string;
  readonly headers?: readonly (readonly [name: string, value: SharedText])[];
  /** JSON text as it was sent, or as a pattern. */
  readonly json?: SharedText;
  /** Any other content. */
  readonly text?: SharedText;
};

/** Two tracks side by side. */
export type ViewData = {
  readonly id: string;
  readonly label: string;
  readonly left: number;
  readonly right: number;
  readonly rows: readonly RowData[];
  readonly marks: readonly MarkData[];
};

/** A pair of exchanges or frames, as indices of their tracks; -1 where a side has none. */
export type RowData = readonly [kind: 'exchange' | 'frame', left: number, right: number];

/** A place of a finding. */
export type MarkData = {
  /** Index of the row. */
  readonly row: number;
  /** Index of the finding. */
  readonly finding: number;
  readonly path: readonly (string | number)[];
  /** It is about the order of the names at the path. */
  readonly order?: true;
};
