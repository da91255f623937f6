#!/bin/sh
# The same as server-sent events; --no-buffer shows each as it arrives.
set -eu
curl --silent --show-error --fail-with-body --no-buffer "${ANTHROPIC_BASE_URL:-http://127.0.0.1:8787}/v1/messages" \
    --header "x-api-key: $ANTHROPIC_API_KEY" \
    --header 'anthropic-version: 2023-06-01' \
    --header 'content-type: application/json' \
    --data @- <<END
{
  "model": "${MODEL:-claude-opus-5-5}",
  "max_tokens": 512,
  "stream": true,
  "messages": [{"role": "user", "content": "Say hello in one sentence."}]
}
END
