"""LangChain with its package for OpenAI: https://github.com/langchain-ai/langchain"""

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from program import INSTRUCTIONS, MODEL, NEXT_PROMPT, TOOL_PROMPT, WEATHER, equals, includes, played


@tool
def get_weather(city: str) -> str:
    """The weather."""
    return WEATHER


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


reasoning = {"effort": "low", "summary": "auto"}
models = [
    ("responses", {"use_responses_api": True, "reasoning": reasoning}, "Reasoning: 2."),
    (
        "responses, store=False",
        {"use_responses_api": True, "reasoning": reasoning, "store": False, "include": ["reasoning.encrypted_content"]},
        "Reasoning: 2.",
    ),
    ("responses, streamed", {"use_responses_api": True, "reasoning": reasoning, "streaming": True}, "Reasoning: 2."),
    ("responses, previous_response_id", {"use_responses_api": True, "use_previous_response_id": True}, ""),
    ("chat", {"temperature": 0}, ""),
    ("chat, streamed", {"streaming": True}, ""),
]
for name, options, expected in models:
    model = ChatOpenAI(model=MODEL, max_retries=0, **options)
    agent = create_agent(model, [get_weather], system_prompt=INSTRUCTIONS)
    first = agent.invoke({"messages": [HumanMessage(TOOL_PROMPT)]})
    includes(first["messages"][-1].text, TOOL_PROMPT, WEATHER)
    last = agent.invoke({"messages": [*first["messages"], HumanMessage(NEXT_PROMPT)]})
    includes(last["messages"][-1].text, f"{TOOL_PROMPT} | {NEXT_PROMPT}", WEATHER, "Replies: 1.", expected)
    played(f"{name}: agent, tool loop and second turn")

    for method in ["json_schema", "function_calling"]:
        parsed = model.with_structured_output(Weather, method=method).invoke("Paris as JSON")
        equals(parsed, Weather(city="Paris", degrees=21))
    played(f"{name}: structured output")
