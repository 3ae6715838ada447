"""LiteLLM: https://github.com/BerriAI/litellm"""

import os

# Its table of prices is on the web.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

from program import API_KEY, BASE_URL, INSTRUCTIONS, MODEL, NEXT_PROMPT, TOOL_PROMPT, WEATHER, equals, includes, played

parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
chat_tool = {
    "type": "function",
    "function": {"name": "get_weather", "description": "The weather.", "parameters": parameters},
}
tool = {"type": "function", "name": "get_weather", "description": "The weather.", "parameters": parameters}
settings = {"api_base": BASE_URL, "api_key": API_KEY, "max_retries": 0}


def chat_conversation(model, streams):
    def complete(messages):
        options = {"stream_options": {"include_usage": True}} if streams else {}
        result = litellm.completion(
            model=model, messages=messages, tools=[chat_tool], stream=streams, **options, **settings
        )
        if streams:
            result = litellm.stream_chunk_builder(list(result), messages=messages)
        return result.choices[0].message

    messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": TOOL_PROMPT}]
    called = complete(messages)
    equals([call.function.name for call in called.tool_calls], ["get_weather"])
    outputs = [{"role": "tool", "tool_call_id": call.id, "content": WEATHER} for call in called.tool_calls]
    messages += [called.model_dump(), *outputs]
    second = complete(messages)
    includes(second.content, TOOL_PROMPT, WEATHER)
    messages += [second.model_dump(), {"role": "user", "content": NEXT_PROMPT}]
    includes(complete(messages).content, f"{TOOL_PROMPT} | {NEXT_PROMPT}", WEATHER)


# With `openai/responses/`, LiteLLM translates chat completions to the Responses API itself.
for prefix in ["openai/", "openai/responses/"]:
    for streams in [False, True]:
        chat_conversation(f"{prefix}{MODEL}", streams)
        played(f"completion, {prefix}MODEL{', streamed' if streams else ''}: tool loop and second turn")


def plain(items):
    return [item if isinstance(item, dict) else item.model_dump(exclude_none=True) for item in items]


def text_of(response):
    return "".join(
        part["text"] for item in plain(response.output) if item["type"] == "message" for part in item["content"]
    )


items = [{"role": "user", "content": TOOL_PROMPT}]
request = {"model": f"openai/{MODEL}", "tools": [tool], "instructions": INSTRUCTIONS, **settings}
called = litellm.responses(input=items, **request)
calls = [item for item in plain(called.output) if item["type"] == "function_call"]
outputs = [{"type": "function_call_output", "call_id": call["call_id"], "output": WEATHER} for call in calls]
items += [*plain(called.output), *outputs]
second = litellm.responses(input=items, **request)
includes(text_of(second), TOOL_PROMPT, WEATHER, "Reasoning: 1.")
items += [*plain(second.output), {"role": "user", "content": NEXT_PROMPT}]
includes(text_of(litellm.responses(input=items, **request)), f"{TOOL_PROMPT} | {NEXT_PROMPT}", "Reasoning: 2.")
played("responses: tool loop and second turn, all items sent")

types = [event.type for event in litellm.responses(input="Hello", stream=True, **request)]
equals(types[-1], "response.completed")
played("responses, streamed: events")
