// The client of the recordings: node client.mjs SCENARIO
import WebSocket from 'ws';

const at = 'ws://127.0.0.1:8081';

function open(path, options = {}, protocols = []) {
	const ws = new WebSocket(at + path, protocols, options);
	ws.waiting = [];
	ws.got = [];
	ws.on('message', (b) => { const w = ws.waiting.shift(); w ? w(b) : ws.got.push(b); });
	ws.on('error', () => {});
	ws.ended = new Promise((done) => ws.on('close', done));
	return new Promise((done, fail) => { ws.on('open', () => done(ws)); ws.on('error', fail); });
}

const next = (ws) => ws.got.length ? Promise.resolve(ws.got.shift()) : new Promise((done) => ws.waiting.push(done));
const ask = (ws, b, options = {}) => { const answer = next(ws); ws.send(b, options); return answer; };
const ping = (ws, b) => { const answer = new Promise((done) => ws.once('pong', done)); ws.ping(b); return answer; };
const order = (i) => JSON.stringify({ type: 'order', id: i, items: [{ sku: 'A-' + i, count: i % 7 }, { sku: 'B-' + i, count: 1 }], note: 'leave it at the door' });

const scenarios = {
	async messages() {
		const ws = await open('/shop', { perMessageDeflate: false }, ['shop']);
		await ask(ws, Buffer.alloc(66000, 7));
		await ask(ws, 'hello');
		await ask(ws, '');
		await ask(ws, 'blåbærsyltetøy '.repeat(30));
		await ask(ws, Buffer.from([0, 1, 2, 3, 255]));
		await ask(ws, 'x'.repeat(125));
		await ask(ws, 'y'.repeat(126));
		await new Promise((done) => setTimeout(done, 100)); // until what was said is acknowledged
		await ping(ws, 'are you there');
		await ping(ws);
		await ping(ws);
		for (let i = 0; i < 5; i++) ws.send(order(i));
		for (let i = 0; i < 5; i++) await next(ws);
		ws.close(1000, 'that is all');
		await ws.ended;
	},
	async fragments() {
		const ws = await open('/shop', { perMessageDeflate: false });
		ws.send('one, ', { fin: false });
		ws.send('two, ', { fin: false });
		await ping(ws, 'inside');
		await ping(ws, 'again');
		await ask(ws, 'three', { fin: true });
		await ask(ws, 'in pieces');
		ws.send(Buffer.alloc(3, 1), { fin: false });
		await ask(ws, Buffer.alloc(0), { fin: true });
		ws.close();
		await ws.ended;
	},
	async compressed() {
		for (const pack of ['all', 'each']) {
			const ws = await open('/shop?pack=' + pack, { perMessageDeflate: { threshold: 0, serverNoContextTakeover: pack === 'each', clientNoContextTakeover: pack === 'each' } });
			for (let i = 0; i < 8; i++) await ask(ws, order(i));
			await ask(ws, 'z'.repeat(60000));
			ws.send('first half and ', { fin: false });
			await ask(ws, 'second half', { fin: true });
			await ask(ws, Buffer.from([9, 9, 9]));
			await ask(ws, 'in pieces');
			await ask(ws, 'plain', { compress: false });
			await ask(ws, order(12));
			ws.close(1000);
			await ws.ended;
		}
	},
	async errors() {
		for (const text of ['close 1011 out of cups', 'close 1013', 'close 4001 not on Sundays', 'hang up']) {
			const ws = await open('/shop', { perMessageDeflate: false });
			ws.send(text);
			await ws.ended;
		}
		const big = await open('/shop?limit=5000', { perMessageDeflate: false });
		big.send('x'.repeat(5001));
		await big.ended;
		// A frame of no known kind, and one that is not masked.
		for (const b of [[0x83, 0x80, 1, 2, 3, 4], [0x81, 0x02, 0x68, 0x69]]) {
			const odd = await open('/shop', { perMessageDeflate: false });
			odd._socket.write(Buffer.from(b));
			await new Promise((done) => setTimeout(done, 100));
			odd.terminate();
			await odd.ended;
		}
	},
	async push() {
		const all = [];
		for (let i = 0; i < 3; i++) all.push(open('/stock?push=10', { perMessageDeflate: false }));
		for (const ws of await Promise.all(all)) await ws.ended;
	},
};

await scenarios[process.argv[2]]();
