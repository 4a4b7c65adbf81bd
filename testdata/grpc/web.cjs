// The client of the text form of gRPC-Web.
global.XMLHttpRequest = require('xhr2');
const { GrpcWebClientBase, MethodDescriptor, MethodType } = require('grpc-web');

const service = '/grpc.testing.TestService/';
const client = new GrpcWebClientBase({ format: 'text' });
const describe = (name, type) => new MethodDescriptor(service + name, type, Object, Object, (b) => b, (b) => b);

const unary = (name, bytes) => new Promise((done) => {
	client.rpcCall('http://127.0.0.1:8089' + service + name, bytes, {}, describe(name, MethodType.UNARY), (err, answer) => {
		console.log(name, answer ? 1 : 0, err ? err.code : 0);
		done();
	});
});

const stream = (name, bytes) => new Promise((done) => {
	let messages = 0, code = 0;
	const s = client.serverStreaming('http://127.0.0.1:8089' + service + name, bytes, {}, describe(name, MethodType.SERVER_STREAMING));
	s.on('data', () => messages++);
	s.on('error', (err) => { code = err.code; });
	s.on('end', () => { console.log(name, messages, code); done(); });
});

(async () => {
	await unary('EmptyCall', new Uint8Array());
	await unary('UnaryCall', Uint8Array.from([0x10, 0xac, 0x02])); // response_size: 300
	await unary('UnaryCall', Uint8Array.from([0x3a, 0x08, 0x08, 0x05, 0x12, 0x04, 0x67, 0x6f, 0x6e, 0x65])); // response_status: 5 "gone"
	await stream('StreamingOutputCall', Uint8Array.from([0x12, 0x02, 0x08, 0x0a, 0x12, 0x02, 0x08, 0x14])); // sizes 10 and 20
})();
