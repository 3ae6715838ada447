"""What all Python programs share. A program plays conversations with one library, and prints what it has played."""

import os

MODEL = os.environ["MODEL"]
BASE_URL = os.environ["OPENAI_BASE_URL"]
API_KEY = os.environ["OPENAI_API_KEY"]

INSTRUCTIONS = "You are brief."
TOOL_PROMPT = "Use the tool for Paris."
NEXT_PROMPT = "And tomorrow?"

# What the weather tool returns; the last text of each conversation must contain it.
WEATHER = "sunny, 21 degrees"


def played(name):
    print(f"played: {name}", flush=True)


def includes(text, *parts):
    """Fails unless a text contains all parts."""
    for part in parts:
        if part not in str(text):
            raise AssertionError(f'"{part}" is missing in: {text}')


def equals(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual} is not {expected}")
