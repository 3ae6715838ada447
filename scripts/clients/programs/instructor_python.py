"""instructor: https://github.com/567-labs/instructor"""

import instructor
from openai import OpenAI
from pydantic import BaseModel

from program import MODEL, equals, played


class Weather(BaseModel):
    city: str
    degrees: int


expected = {"city": "Paris", "degrees": 21}
messages = [{"role": "system", "content": "Be exact."}, {"role": "user", "content": "Paris as JSON"}]
modes = ["TOOLS", "TOOLS_STRICT", "JSON", "JSON_SCHEMA", "MD_JSON", "RESPONSES_TOOLS"]
for mode in modes:
    client = instructor.from_openai(OpenAI(max_retries=0), mode=instructor.Mode[mode])
    result = client.chat.completions.create(model=MODEL, messages=messages, response_model=Weather, max_retries=0)
    equals(result.model_dump(), expected)
    # The second turn has the reply of the first.
    more = [*messages, {"role": "assistant", "content": result.model_dump_json()}, {"role": "user", "content": "Again"}]
    again = client.chat.completions.create(model=MODEL, messages=more, response_model=Weather, max_retries=0)
    equals(again.model_dump(), expected)
    played(f"{mode}: structured output and second turn")

client = instructor.from_openai(OpenAI(max_retries=0), mode=instructor.Mode.TOOLS)
partial = client.chat.completions.create_partial(model=MODEL, messages=messages, response_model=Weather, max_retries=0)
equals(list(partial)[-1].model_dump(), expected)
played("TOOLS: partial, streamed")
