"""The same as a stream: text is printed as it arrives."""

import os

import anthropic

client = anthropic.Anthropic()
with client.messages.stream(
    model=os.environ.get("MODEL", "claude-opus-5-5"),
    max_tokens=512,
    messages=[{"role": "user", "content": "Say hello in one sentence."}],
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
    print()
    print(f"ended with {stream.get_final_message().stop_reason}")
    print(f"request {stream.response.headers['x-turnlog-request-id']}")
