// A server and a client of HTTPS, which speak plain HTTP between, and say what they did in a line
// of JSON for each request:
//
//	apart.js server PORT CERT KEY PLAIN
//	apart.js client PORT CERT VERSION PLAIN
const [mode, port, cert, how, plain] = process.argv.slice(2);
const fs = require('fs'), http = require('http'), https = require('https'), crypto = require('crypto');
const digest = (b) => crypto.createHash('sha256').update(b).digest('hex').slice(0, 16);
const body = (n) => Buffer.alloc((n * 7919) % (n % 10 == 9 ? 300000 : 3000), 'body ' + n + ' ');
const end = (host, p) => host.replace('::ffff:', '') + ':' + p;
const keep = new http.Agent({ keepAlive: true });

function read(stream) {
  return new Promise((done, failed) => {
    const parts = [];
    stream.on('data', (d) => parts.push(d)).on('end', () => done(Buffer.concat(parts))).on('error', failed);
  });
}

// aside asks in plain, with an answer that is larger than what is said in TLS meanwhile.
function aside() {
  return new Promise((done, failed) => http.get({ port: plain, host: '127.0.0.1', agent: keep }, (a) => read(a).then(done, failed)).on('error', failed));
}

function server() {
  http.createServer((q, a) => a.end('plain '.repeat(700))).listen(plain, '127.0.0.1');
  https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(how) }, async (q, a) => {
    const sent = await read(q);
    await aside();
    const answer = body(sent.length + 7);
    a.end(answer);
    console.log(JSON.stringify({
      Request: q.method + ' ' + q.url, Sent: digest(sent), Received: digest(answer),
      Local: end(q.socket.remoteAddress, q.socket.remotePort), Remote: end(q.socket.localAddress, q.socket.localPort),
    }));
  }).listen(port, '127.0.0.1');
}

async function client() {
  const options = { ca: fs.readFileSync(cert), minVersion: 'TLSv' + how, maxVersion: 'TLSv' + how };
  let n = 0;
  const ask = (agent, path) => new Promise((done, failed) => {
    const sent = body(++n);
    https.request({ port, host: '127.0.0.1', path, method: 'POST', agent, headers: { 'content-length': sent.length } }, async (a) => {
      const s = a.socket, from = end(s.localAddress, s.localPort), to = end(s.remoteAddress, s.remotePort), resumed = s.isSessionReused();
      console.log(JSON.stringify({ Request: 'POST ' + path, Sent: digest(sent), Received: digest(await read(a)), Local: from, Remote: to }));
      done(resumed);
    }).on('error', failed).end(sent);
  });
  const kept = new https.Agent({ ...options, keepAlive: true, maxSockets: 4 });
  await Promise.all([...Array(40).keys()].map(async (i) => { await ask(kept, '/kept/' + i); await aside(); }));
  const once = new https.Agent(options);
  for (let i = 0; i < 4; i++) if (await ask(once, '/once/' + i) != (i > 0)) throw new Error('session ' + i);
  process.exit(0);
}

mode == 'server' ? server() : client();
