// As main.go, for node and bun:
//
//	peer.js server PORT CERT KEY
//	peer.js client PORT NAME VERSION... [again]
const [mode, port, name, ...rest] = process.argv.slice(2);
const fs = require('fs'), https = require('https'), crypto = require('crypto');
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
process.removeAllListeners('warning');
const digest = (b) => crypto.createHash('sha256').update(b).digest('hex').slice(0, 16);
const read = (stream) => new Promise((done, failed) => {
  const parts = [];
  stream.on('data', (d) => parts.push(d)).on('end', () => done(Buffer.concat(parts))).on('error', failed);
});

function server() {
  https.createServer({ cert: fs.readFileSync(name), key: fs.readFileSync(rest[0]) }, async (q, a) => {
    const sent = await read(q);
    console.log(q.url, q.socket.remotePort);
    a.end(('answer to ' + q.url + ' ').repeat(1 + sent.length % 97));
  }).listen(Number(port), '127.0.0.1');
}

function ask(agent, path, how, version) {
  const sent = Buffer.from(path.repeat(1 + path.length * 7 % 31));
  return new Promise((done, failed) => {
    const q = https.request({
      agent, port, host: '127.0.0.1', path, method: 'POST', headers: { 'content-length': sent.length }, rejectUnauthorized: false,
      minVersion: version, maxVersion: version,
    }, async (a) => {
      const own = a.socket.localPort, again = a.socket.isSessionReused();
      if (again != (how == 'again')) failed(new Error(path));
      console.log(path, own, how, digest(sent), digest(await read(a)));
      done();
    });
    q.on('error', failed);
    q.end(sent);
  });
}

async function client() {
  const ways = rest.includes('again') ? ['new', 'again'] : ['new'];
  for (const version of rest.filter((v) => v != 'again')) {
    const agent = new https.Agent({ minVersion: 'TLSv' + version, maxVersion: 'TLSv' + version, rejectUnauthorized: false });
    for (const how of ways) await ask(agent, `/${name}/${name}/${version}/${how}`, how, 'TLSv' + version);
  }
  process.exit(0);
}

mode == 'server' ? server() : client();
