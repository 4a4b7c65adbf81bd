// The server of the recordings. It writes what it sent on each stream, a line a stream:
// path, events, name and id of the last.
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { createSession } from 'better-sse';

const truth = fs.createWriteStream(process.argv[2]);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function serve(req, res) {
	const session = await createSession(req, res, { keepAlive: null, retry: 100 });
	const after = Number(session.lastId) || 0;
	let sent = 0, name = '-', id = '-';
	const push = (data, event, number) => { session.push(data, event, String(number)); sent++; name = event; id = number; };
	if (req.url === '/stock') {
		for (let i = after + 1; i <= after + 4; i++) {
			push({ item: i, left: 100 - i }, i % 2 ? 'stock' : 'price', i);
			await pause(5);
		}
	} else if (req.url === '/large') {
		for (let i = 1; i <= 3; i++) push('x'.repeat(4000 * i), 'message', i);
	}
	truth.write(`${req.url} ${sent} ${name} ${id}\n`);
	res.end();
}

http.createServer(serve).listen(8087, '127.0.0.1');
http2.createServer(serve).listen(8088, '127.0.0.1');
