#!/bin/sh
# One question, one whole answer. The head is printed too: the last header names the request in the history.
set -eu
curl --silent --show-error --fail-with-body --include "${ANTHROPIC_BASE_URL:-http://127.0.0.1:8787}/v1/messages" \
    --header "x-api-key: $ANTHROPIC_API_KEY" \
    --header 'anthropic-version: 2023-06-01' \
    --header 'content-type: application/json' \
    --data @- <<END
{
  "model": "${MODEL:-claude-opus-5-5}",
  "max_tokens": 512,
  "messages": [{"role": "user", "content": "Say hello in one sentence."}]
}
END
