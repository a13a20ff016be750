// A scripted Messages API on loopback, for the real claude client: asks for
// one Bash command, and after its result answers with a text.
//   node api.mjs PORT COMMAND
import http from 'node:http';

const [port, command] = process.argv.slice(2);

http.createServer((request, response) => {
  let body = '';
  request.on('data', (data) => { body += data; });
  request.on('end', () => {
    if (!request.url.startsWith('/v1/messages')) {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"type":"error","error":{"type":"not_found_error","message":"no"}}');
      return;
    }
    const { model, messages, tools } = JSON.parse(body);
    const worked = JSON.stringify(messages).includes('"tool_result"');
    const tool = !worked && (tools || []).some((t) => t.name === 'Bash');
    const event = (type, data) =>
      response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    event('message_start', { message: { id: 'msg_1', type: 'message', role: 'assistant', model,
      content: [], stop_reason: null, usage: { input_tokens: 1000, output_tokens: 1,
        cache_read_input_tokens: 300, cache_creation_input_tokens: 200 } } });
    if (tool) {
      event('content_block_start', { index: 0,
        content_block: { type: 'tool_use', id: 'toolu_1', name: 'Bash', input: {} } });
      event('content_block_delta', { index: 0, delta: { type: 'input_json_delta',
        partial_json: JSON.stringify({ command, description: 'edit' }) } });
    } else {
      event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } });
      event('content_block_delta', { index: 0,
        delta: { type: 'text_delta', text: 'Made the loop faster.' } });
    }
    event('content_block_stop', { index: 0 });
    event('message_delta', { delta: { stop_reason: tool ? 'tool_use' : 'end_turn' },
      usage: { output_tokens: 40 } });
    event('message_stop', {});
    response.end();
  });
}).listen(Number(port), '127.0.0.1');
