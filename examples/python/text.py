"""One question, one whole answer, by Anthropic's SDK."""

import os

import anthropic

# Reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY.
client = anthropic.Anthropic()
answer = client.messages.with_raw_response.create(
    model=os.environ.get("MODEL", "claude-opus-5-5"),
    max_tokens=512,
    messages=[{"role": "user", "content": "Say hello in one sentence."}],
)
message = answer.parse()
print("".join(block.text for block in message.content if block.type == "text"))
print(f"{message.usage.input_tokens} tokens in, {message.usage.output_tokens} out")
print(f"request {answer.headers['x-turnlog-request-id']}")
