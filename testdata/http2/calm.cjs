// A server of HTTP/2 that ends the connection of a client that asks too much (GOAWAY with
// ENHANCE_YOUR_CALM and why), and its client. It writes what the client was told, a line a
// call: method, target and status, - for one that did not come.
const http2 = require('http2');

const server = http2.createServer();
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  if (headers[':path'] !== '/too-much') return headers[':path'] === '/slow' || stream.respond({ ':status': 200 }, { endStream: true });
  const { session } = stream;
  session.goaway(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM, stream.id, Buffer.from('too_many_calls'));
  setTimeout(() => session.destroy(), 20);
});
server.listen(8081, '127.0.0.1', () => {
  const client = http2.connect('http://127.0.0.1:8081');
  client.on('error', () => {});
  const call = (path) => new Promise((done) => {
    let status = '-';
    const stream = client.request({ ':path': path });
    stream.on('response', (headers) => { status = headers[':status']; });
    stream.on('error', () => {});
    stream.on('close', () => done(`GET ${path} ${status}`));
    stream.resume();
  });
  call('/first').then((first) => Promise.all([call('/slow'), call('/too-much')]).then((rest) => {
    console.log([first, ...rest].join('\n'));
    setTimeout(() => process.exit(), 100);
  }));
});
