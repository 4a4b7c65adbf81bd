// The client of the recordings: streams over HTTP/1, of which one is gone on with where it
// ended, and over HTTP/2.
import http2 from 'node:http2';
import { EventSource } from 'eventsource';

const listen = (path, times) => new Promise((done) => {
	const s = new EventSource('http://127.0.0.1:8087' + path);
	s.onerror = () => { if (--times === 0) { s.close(); done(); } };
});

await listen('/stock', 2);
await listen('/large', 1);
await listen('/empty', 1);
const session = http2.connect('http://127.0.0.1:8088');
const get = (path) => new Promise((done) => session.request({ ':path': path, accept: 'text/event-stream' }).on('end', done).resume());
await Promise.all([get('/stock'), get('/large'), get('/stock')]);
session.close();
