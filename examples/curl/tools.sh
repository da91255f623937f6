#!/bin/sh
# A tool is offered, the model asks for it, and gets its result. Two requests: the second repeats the first and adds the
# call and its result. The call's id must be the one the model gave; here it is cut out of the answer.
set -eu
url="${ANTHROPIC_BASE_URL:-http://127.0.0.1:8787}/v1/messages"
tools='[{"name": "get_weather", "description": "The weather at a place.", "input_schema": {"type": "object",
    "properties": {"location": {"type": "string"}}, "required": ["location"]}}]'
question='{"role": "user", "content": "How is the weather in Zurich? Please use the tool get_weather."}'

ask() {
    curl --silent --show-error --fail-with-body "$url" \
        --header "x-api-key: $ANTHROPIC_API_KEY" \
        --header 'anthropic-version: 2023-06-01' \
        --header 'content-type: application/json' \
        --data "{\"model\": \"${MODEL:-claude-opus-5-5}\", \"max_tokens\": 512, \"tools\": $tools, \"messages\": [$1]}"
}

answer=$(ask "$question")
printf '%s\n' "$answer"
id=$(printf '%s' "$answer" | tr ',{}' '\n\n\n' | sed -n 's/^ *"id": *"\(toolu_[^"]*\)".*/\1/p' | head -n 1)
[ -n "$id" ] || { echo 'the model asked for no tool' >&2; exit 1; }

call="{\"type\": \"tool_use\", \"id\": \"$id\", \"name\": \"get_weather\", \"input\": {\"location\": \"Zurich\"}}"
result="{\"type\": \"tool_result\", \"tool_use_id\": \"$id\", \"content\": \"18 degrees, clear\"}"
ask "$question, {\"role\": \"assistant\", \"content\": [$call]}, {\"role\": \"user\", \"content\": [$result]}"
