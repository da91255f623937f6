// One question, one whole answer, by nothing but fetch.
const response = await fetch(`${process.env.ANTHROPIC_BASE_URL ?? 'http://127.0.0.1:8787'}/v1/messages`, {
  method: 'POST',
  headers: {
    'x-api-key': process.env.ANTHROPIC_API_KEY,
    'anthropic-version': '2023-06-01',
    'content-type': 'application/json',
  },
  body: JSON.stringify({
    model: process.env.MODEL ?? 'claude-opus-5-5',
    max_tokens: 512,
    messages: [{role: 'user', content: 'Say hello in one sentence.'}],
  }),
});
const message = await response.json();
if (!response.ok) throw new Error(`${response.status} ${message.error?.message}`);
console.log(message.content.filter((block) => block.type === 'text').map((block) => block.text).join(''));
console.log(`${message.usage.input_tokens} tokens in, ${message.usage.output_tokens} out`);
console.log(`request ${response.headers.get('x-turnlog-request-id')}`);
