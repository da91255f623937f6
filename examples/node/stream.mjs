// The same as a stream: server-sent events are cut out of the bytes as they arrive, and their text is printed.
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
    stream: true,
    messages: [{role: 'user', content: 'Say hello in one sentence.'}],
  }),
});
if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);

let buffer = '';
let stop = null;
for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
  const events = (buffer + piece).split(/\r?\n\r?\n/);
  // The last part is not whole yet.
  buffer = events.pop();
  for (const event of events) {
    const data = event.split(/\r?\n/).filter((line) => line.startsWith('data:')).map((line) => line.slice(5)).join('\n');
    if (!data) continue;
    const {type, delta} = JSON.parse(data);
    if (type === 'content_block_delta' && delta.type === 'text_delta') process.stdout.write(delta.text);
    if (type === 'message_delta') stop = delta.stop_reason;
  }
}
console.log(`\nended with ${stop}`);
console.log(`request ${response.headers.get('x-turnlog-request-id')}`);
