"""A tool is offered, the model asks for it, and gets its result, until it asks for no more."""

import os
from typing import Any

import anthropic

WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather at a place.",
    "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}


def weather(location: str) -> str:
    return f"18 degrees and clear in {location}"


client = anthropic.Anthropic()
messages: list[Any] = [{"role": "user", "content": "How is the weather in Zurich? Please use the tool get_weather."}]
while True:
    answer = client.messages.create(
        model=os.environ.get("MODEL", "claude-opus-5-5"), max_tokens=512, tools=[WEATHER], messages=messages
    )
    calls = [block for block in answer.content if block.type == "tool_use"]
    if not calls:
        break
    # The answer goes back as it came: thinking blocks carry signatures that must not change.
    messages.append({"role": "assistant", "content": answer.content})
    results = []
    for call in calls:
        print(f"{call.name}({call.input})")
        results.append({"type": "tool_result", "tool_use_id": call.id, "content": weather(**call.input)})
    messages.append({"role": "user", "content": results})
print("".join(block.text for block in answer.content if block.type == "text"))
