// Drives the server with tedious: batches, parameters, a prepared statement.
const { Connection, Request, TYPES } = require('tedious');
const c = new Connection({
  server: '127.0.0.1',
  authentication: { type: 'default', options: { userName: 'sa', password: 'open sesame' } },
  options: { encrypt: false, database: 'shop', appName: 'counter', port: 1433 },
});
const told = (q, rows, e) => console.log([q.slice(0, 60), e ? 0 : rows ?? 0, e ? e.number : 'OK'].join('\t'));

const run = (method, q, bind) =>
  new Promise((done) => {
    const r = new Request(q, (e, rows) => {
      told(q, rows, e);
      done();
    });
    if (bind) r.addParameter('id', TYPES.Int, 1);
    c[method](r);
  });

const prepared = (q, times) =>
  new Promise((done) => {
    let left = times;
    const r = new Request(q, (e, rows) => {
      if (left < 0) return done();
      told(q, rows, e);
      left--;
      if (left > 0) return setImmediate(() => c.execute(r, { id: left }));
      left = -1;
      setImmediate(() => c.unprepare(r));
    });
    r.addParameter('id', TYPES.Int);
    r.on('prepared', () => c.execute(r, { id: left }));
    c.prepare(r);
  });

c.on('end', () => process.exit(0));
c.connect(async (error) => {
  if (error) throw error;
  await run('execSqlBatch', 'select top 5 * from items');
  await run('execSqlBatch', 'selekt');
  await run('execSql', 'select top 3 * from items where id = @id', true);
  await prepared('select top 6 * from items where id = @id', 3);
  c.close();
});
