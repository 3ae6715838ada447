"""The library of OpenAI for Python: https://github.com/openai/openai-python"""

import asyncio

from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from program import INSTRUCTIONS, MODEL, NEXT_PROMPT, TOOL_PROMPT, WEATHER, equals, includes, played

client = OpenAI(max_retries=0)
parameters = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
tool = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather.",
    "strict": True,
    "parameters": parameters,
}
chat_tool = {
    "type": "function",
    "function": {"name": "get_weather", "description": "The weather.", "strict": True, "parameters": parameters},
}
request = {
    "model": MODEL,
    "instructions": INSTRUCTIONS,
    "tools": [tool],
    "reasoning": {"effort": "low", "summary": "auto"},
}


class Weather(BaseModel):
    city: str
    degrees: int


def outputs_of(response):
    return [
        {"type": "function_call_output", "call_id": item.call_id, "output": WEATHER}
        for item in response.output
        if item.type == "function_call"
    ]


def conversation(respond):
    """A conversation that sends all items with each request."""
    items = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": TOOL_PROMPT}]
    called = respond({**request, "input": items})
    equals([item.type for item in called.output], ["reasoning", "function_call"])
    items += [*called.output, *outputs_of(called)]
    second = respond({**request, "input": items})
    includes(second.output_text, WEATHER, "Reasoning: 1.")
    items += [*second.output, {"role": "user", "content": NEXT_PROMPT}]
    last = respond({**request, "input": items})
    includes(last.output_text, f"{TOOL_PROMPT} | {NEXT_PROMPT}", WEATHER, "Replies: 1.", "Reasoning: 2.")


def chain(respond):
    """A conversation that names the response before."""
    first = respond({**request, "input": "Use the tools."})
    equals(len(outputs_of(first)), 2)
    second = respond({**request, "input": outputs_of(first), "previous_response_id": first.id})
    includes(second.output_text, f"{WEATHER} | {WEATHER}")
    last = respond({**request, "input": NEXT_PROMPT, "previous_response_id": second.id})
    includes(last.output_text, f"Use the tools. | {NEXT_PROMPT}", "Replies: 1.")


def whole(body):
    return client.responses.create(**body)


def streamed(body):
    text = ""
    with client.responses.stream(**body) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                text += event.delta
        response = stream.get_final_response()
    equals(response.output_text, text)
    return response


conversation(whole)
played("responses: tool loop and second turn, all items sent")
chain(whole)
played("responses: two tools and second turn, previous_response_id")
conversation(streamed)
played("responses.stream: tool loop and second turn, all items sent")
chain(streamed)
played("responses.stream: two tools and second turn, previous_response_id")

types = [event.type for event in client.responses.create(**request, input="Hello", stream=True)]
equals([types[0], types[-1]], ["response.created", "response.completed"])
played("responses.create with stream: events")

response = client.responses.parse(model=MODEL, input="Paris as JSON", text_format=Weather)
equals(response.output_parsed, Weather(city="Paris", degrees=21))
played("responses.parse")

with client.responses.connect() as connection:

    def over_websocket(body):
        connection.response.create(**body)
        for event in connection:
            if event.type == "response.completed":
                return event.response
            if event.type == "error":
                raise AssertionError(event)
        raise AssertionError("the connection ended")

    conversation(over_websocket)
    chain(over_websocket)
played("responses websocket: tool loop and second turn")


def chat_conversation(complete):
    messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": "Use the tools."}]
    called = complete(messages)
    equals(len(called.tool_calls), 2)
    outputs = [{"role": "tool", "tool_call_id": call.id, "content": WEATHER} for call in called.tool_calls]
    messages += [called.model_dump(exclude_none=True), *outputs]
    second = complete(messages)
    includes(second.content, f"{WEATHER} | {WEATHER}")
    messages += [second.model_dump(exclude_none=True), {"role": "user", "content": NEXT_PROMPT}]
    includes(complete(messages).content, f"Use the tools. | {NEXT_PROMPT}", "Replies: 1.")


def chat_whole(messages):
    completion = client.chat.completions.create(model=MODEL, messages=messages, tools=[chat_tool], temperature=0)
    return completion.choices[0].message


def chat_streamed(messages):
    with client.chat.completions.stream(
        model=MODEL, messages=messages, tools=[chat_tool], stream_options={"include_usage": True}
    ) as stream:
        stream.until_done()
        completion = stream.get_final_completion()
    assert completion.usage.total_tokens > 0
    return completion.choices[0].message


chat_conversation(chat_whole)
played("chat: tool loop and second turn")
chat_conversation(chat_streamed)
played("chat stream helper: tool loop and second turn")

completion = client.chat.completions.parse(
    model=MODEL, messages=[{"role": "user", "content": "Paris as JSON"}], response_format=Weather
)
equals(completion.choices[0].message.parsed, Weather(city="Paris", degrees=21))
played("chat.completions.parse")


async def concurrent():
    asynchronous = AsyncOpenAI(max_retries=0)
    responses = await asyncio.gather(
        *(asynchronous.responses.create(**request, input=f"Hello {number}") for number in range(8))
    )
    for number, response in enumerate(responses):
        includes(response.output_text, f"Prompts: Hello {number}.")


asyncio.run(concurrent())
played("async: eight conversations at once")
