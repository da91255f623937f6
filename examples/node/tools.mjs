// A tool is offered, the model asks for it, and gets its result, until it asks for no more.
const tools = [
  {
    name: 'get_weather',
    description: 'The weather at a place.',
    input_schema: {type: 'object', properties: {location: {type: 'string'}}, required: ['location']},
  },
];
const messages = [{role: 'user', content: 'How is the weather in Zurich? Please use the tool get_weather.'}];

async function ask() {
  const response = await fetch(`${process.env.ANTHROPIC_BASE_URL ?? 'http://127.0.0.1:8787'}/v1/messages`, {
    method: 'POST',
    headers: {
      'x-api-key': process.env.ANTHROPIC_API_KEY,
      'anthropic-version': '2023-06-01',
      'content-type': 'application/json',
    },
    body: JSON.stringify({model: process.env.MODEL ?? 'claude-opus-5-5', max_tokens: 512, tools, messages}),
  });
  const message = await response.json();
  if (!response.ok) throw new Error(`${response.status} ${message.error?.message}`);
  return message;
}

let answer = await ask();
while (answer.stop_reason === 'tool_use') {
  // The answer goes back as it came: thinking blocks carry signatures that must not change.
  messages.push({role: 'assistant', content: answer.content});
  const results = [];
  for (const call of answer.content.filter((block) => block.type === 'tool_use')) {
    console.log(`${call.name}(${JSON.stringify(call.input)})`);
    results.push({type: 'tool_result', tool_use_id: call.id, content: `18 degrees and clear in ${call.input.location}`});
  }
  messages.push({role: 'user', content: results});
  answer = await ask();
}
console.log(answer.content.filter((block) => block.type === 'text').map((block) => block.text).join(''));
