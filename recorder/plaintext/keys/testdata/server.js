// A server of HTTPS for node and bun, that also asks itself: server.js CERT KEY PORT [PATH...]
const [cert, key, port, ...paths] = process.argv.slice(2);
const fs = require("fs"), https = require("https");
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
process.removeAllListeners("warning");
const server = https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, (q, a) => a.end("answer to " + q.url));
server.listen(Number(port), "127.0.0.1", () => console.log("ready"));
const ask = (path) => new Promise((done, failed) => {
  https.get({ port: Number(port), host: "127.0.0.1", path, rejectUnauthorized: false, agent: false }, (a) => {
    let body = "";
    a.on("data", (d) => (body += d));
    a.on("end", () => { console.log(path, body === "answer to " + path ? "new" : body); done(); });
  }).on("error", failed);
});
process.stdin.on("data", async () => { for (const p of paths) await ask(p); console.log("done"); });
process.stdin.on("end", () => process.exit(0));
