"""OpenAI's Agents SDK for Python: https://github.com/openai/openai-agents-python"""

import asyncio

from agents import (
    Agent,
    ModelSettings,
    Runner,
    SQLiteSession,
    function_tool,
    set_default_openai_api,
    set_default_openai_client,
    set_default_openai_responses_transport,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from openai.types.shared import Reasoning
from pydantic import BaseModel

from program import INSTRUCTIONS, MODEL, NEXT_PROMPT, TOOL_PROMPT, WEATHER, equals, includes, played

set_tracing_disabled(True)
set_default_openai_client(AsyncOpenAI(max_retries=0))


@function_tool
def get_weather(city: str) -> str:
    """The weather."""
    return WEATHER


class Weather(BaseModel):
    city: str
    degrees: int


settings = ModelSettings(reasoning=Reasoning(effort="low", summary="auto"))


def new_agent():
    return Agent(
        name="Weather", instructions=INSTRUCTIONS, model=MODEL, tools=[get_weather], model_settings=settings
    )


async def run(agent, prompt, streams, **options):
    if not streams:
        return await Runner.run(agent, prompt, **options)
    result = Runner.run_streamed(agent, prompt, **options)
    async for _ in result.stream_events():
        pass
    return result


async def conversation(streams, *expected):
    agent = new_agent()
    first = await run(agent, TOOL_PROMPT, streams)
    includes(first.final_output, TOOL_PROMPT, WEATHER)
    items = [*first.to_input_list(), {"role": "user", "content": NEXT_PROMPT}]
    last = await run(agent, items, streams)
    includes(last.final_output, f"{TOOL_PROMPT} | {NEXT_PROMPT}", WEATHER, "Replies: 1.", *expected)


async def chain(streams):
    agent = new_agent()
    first = await run(agent, TOOL_PROMPT, streams)
    last = await run(agent, NEXT_PROMPT, streams, previous_response_id=first.last_response_id)
    includes(last.final_output, f"{TOOL_PROMPT} | {NEXT_PROMPT}", WEATHER)


async def main():
    for streams in [False, True]:
        name = "responses, streamed" if streams else "responses"
        await conversation(streams, "Reasoning: 2.")
        played(f"{name}: tool loop and second turn")
        await chain(streams)
        played(f"{name}: second turn by previous_response_id")

    session = SQLiteSession("weather")
    await run(new_agent(), TOOL_PROMPT, False, session=session)
    last = await run(new_agent(), NEXT_PROMPT, False, session=session)
    includes(last.final_output, f"{TOOL_PROMPT} | {NEXT_PROMPT}", WEATHER, "Reasoning: 2.")
    played("responses: session")

    agent = Agent(name="Weather", model=MODEL, output_type=Weather)
    result = await run(agent, "Paris as JSON", False)
    equals(result.final_output, Weather(city="Paris", degrees=21))
    played("responses: structured output")

    set_default_openai_responses_transport("websocket")
    await conversation(True, "Reasoning: 2.")
    played("responses over the websocket: tool loop and second turn")

    set_default_openai_api("chat_completions")
    for streams in [False, True]:
        await conversation(streams)
        played(f"chat{', streamed' if streams else ''}: tool loop and second turn")


asyncio.run(main())
