import { createContext } from 'preact';

/** The variable that the pointer is on: all its places are lit. */
export type HotVariable = {
  readonly name: string | undefined;
  readonly light: (name: string | undefined) => void;
};

export const HotVariableContext = createContext<HotVariable>({ name: undefined, light: () => {} });
