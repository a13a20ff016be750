// A scripted Messages API on loopback, for the real claude client.
//   node api.mjs PORTFILE ANSWER...
// Writes its port to PORTFILE. Each request that offers tools gets the next ANSWER;
// the last one is repeated. A request without tools (a title) gets a text. Answers:
//   text          a text, streamed
//   slow          the same, with a word each half second
//   stall         the first word of a text, then nothing
//   bash COMMAND  a call of the Bash tool
//   read FILE     a call of the Read tool
//   edit FILE OLD NEW   a call of the Edit tool
//   sub PROMPT    a call of a sub-agent, which gets the next answers
//   limit SECONDS 429 of a subscription whose limit resets after SECONDS
//   hang          no answer
//   drop          the connection is closed
//   NUMBER [TEXT] this HTTP status, with this message
// Each request is a line of PORTFILE.log: method, path, body.
import fs from 'node:fs';
import http from 'node:http';

const [portfile, ...answers] = process.argv.slice(2);
const log = (line) => fs.appendFileSync(`${portfile}.log`, `${line}\n`);
let asked = 0;
let ids = 0;

const errors = { 400: 'invalid_request_error', 401: 'authentication_error', 403: 'permission_error',
  404: 'not_found_error', 429: 'rate_limit_error', 529: 'overloaded_error' };

function refuse(response, status, message, headers) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ type: 'error', error: { type: errors[status] || 'api_error', message } }));
}

const tool = (name, input) => ({ type: 'tool_use', id: `toolu_${++ids}`, name, input });

function blocks(answer, names) {
  const [, kind, rest = ''] = answer.match(/^(\S+) ?([^]*)$/);
  const [file, old_string, new_string] = rest.split(' ');
  switch (kind) {
  case 'bash': return [tool('Bash', { command: rest, description: 'as scripted' })];
  case 'read': return [tool('Read', { file_path: file })];
  case 'edit': return [tool('Edit', { file_path: file, old_string, new_string })];
  case 'sub': return [tool(names.includes('Agent') ? 'Agent' : 'Task',
    { description: 'as scripted', prompt: rest, subagent_type: 'general-purpose' })];
  default: return [{ type: 'text', text: 'Made the loop faster.' }];
  }
}

async function stream(response, model, content, pause) {
  const event = (type, data) =>
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  const uses = content.some((block) => block.type === 'tool_use');
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  event('message_start', { message: { id: `msg_${++ids}`, type: 'message', role: 'assistant', model,
    content: [], stop_reason: null, usage: { input_tokens: 1000, output_tokens: 1,
      cache_read_input_tokens: 300, cache_creation_input_tokens: 200 } } });
  for (const [index, block] of content.entries()) {
    const { input, text, ...start } = block;
    event('content_block_start', { index,
      content_block: text === undefined ? { ...start, input: {} } : { ...start, text: '' } });
    for (const word of text === undefined ? [] : text.split(/(?<= )/)) {
      await new Promise((go) => { setTimeout(go, pause === Infinity ? 0 : pause); });
      event('content_block_delta', { index, delta: { type: 'text_delta', text: word } });
      if (pause === Infinity) {
        return;
      }
    }
    if (text === undefined) {
      event('content_block_delta', { index,
        delta: { type: 'input_json_delta', partial_json: JSON.stringify(input) } });
    }
    event('content_block_stop', { index });
  }
  event('message_delta', { delta: { stop_reason: uses ? 'tool_use' : 'end_turn' },
    usage: { output_tokens: 40 } });
  event('message_stop', {});
  response.end();
}

function reply(request, response, body) {
  log(`${request.method} ${request.url} ${body}`);
  if (request.method !== 'POST' || !/^\/v1\/messages(\?|$)/.test(request.url)) {
    refuse(response, 404, 'no');
    return;
  }
  const { model, tools = [] } = JSON.parse(body);
  if (tools.length === 0) {
    stream(response, model, blocks('text', []), 0);
    return;
  }
  const answer = answers[Math.min(asked++, answers.length - 1)];
  const [kind, rest] = answer.split(/ ([^]*)/);
  if (kind === 'hang') {
    return;
  }
  if (kind === 'drop') {
    request.socket.destroy();
  } else if (kind === 'limit') {
    const reset = String(Math.floor(Date.now() / 1000) + Number(rest));
    refuse(response, 429, 'This request would exceed your limit', {
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-representative-claim': 'five_hour',
      'anthropic-ratelimit-unified-reset': reset,
      'anthropic-ratelimit-unified-5h-status': 'rejected',
      'anthropic-ratelimit-unified-5h-utilization': '1.0',
      'anthropic-ratelimit-unified-5h-reset': reset,
    });
  } else if (/^\d+$/.test(kind)) {
    refuse(response, Number(kind), rest || 'as scripted');
  } else {
    stream(response, model, blocks(answer, tools.map((t) => t.name)), { slow: 500, stall: Infinity }[kind] || 0);
  }
}

const server = http.createServer((request, response) => {
  let body = '';
  request.on('data', (data) => { body += data; });
  request.on('end', () => reply(request, response, body));
});
server.listen(0, '127.0.0.1', () => {
  fs.writeFileSync(`${portfile}.new`, String(server.address().port));
  fs.renameSync(`${portfile}.new`, portfile);
});
