// Servers that do not take a connection of HTTP/2 whose client has not asked for anything yet,
// and its client: one of HTTP/1 only, one that goes away (GOAWAY with ENHANCE_YOUR_CALM) at once
// and one when it has read the preface, one that closes the connection, and one that has no
// complaint.
const http = require('http');
const http2 = require('http2');
const net = require('net');

const host = '127.0.0.1';
const leave = (session) => {
  session.goaway(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from('too_many_pings'));
  setTimeout(() => session.destroy(), 20);
};
const atOnce = http2.createServer().on('session', leave);
const later = http2.createServer().on('session', (session) => session.on('remoteSettings', () => leave(session)));
const closing = net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.destroy()));

// connect has a client of HTTP/2 connect to a server, and resolves once it is over.
const connect = (server) => new Promise((done) => {
  server.listen(8081, host, () => {
    const client = http2.connect(`http://${host}:8081`);
    client.on('error', () => {});
    client.on('close', () => server.close(done));
    setTimeout(() => client.destroy(), 200);
  });
});
const servers = [http.createServer(), atOnce, later, closing, http2.createServer()];
servers.reduce((before, server) => before.then(() => connect(server)), Promise.resolve()).then(() => process.exit());
