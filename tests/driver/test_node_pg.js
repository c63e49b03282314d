#!/usr/bin/env node
/* node-postgres (npm package pg) against the server: types, parameters, named statements,
 * transactions, errors, cancel.
 *
 *     test_node_pg.js HELIOSD [NAME ...]
 *     HELIOS_TEST_URL=postgres://user:password@host:port/database test_node_pg.js [NAME ...]
 *                                the same against another server, which proves the test right
 *
 * Without the package (npm install pg, found by NODE_PATH) it ends with 77: skipped. The server's
 * schema public is emptied first. */
'use strict';
const assert = require('assert').strict;
const childProcess = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

let pg;
try {
  pg = require('pg');
} catch (e) {
  console.log('skipped: the npm package pg is not there');
  process.exit(77);
}

const READY = /ready: postgresql on ([0-9.]+):(\d+)/;
const START_MS_MAX = 30000;
const STOP_MS_MAX = 30000;
const TEST_MS_MAX = 60000;
const tests = [];
let config;

function test(name, run) { tests.push({ name, run }); }

async function connect(more) {
  const client = new pg.Client({ ...config, connectionTimeoutMillis: 10000, ...more });
  client.on('error', () => {}); // what ends a connection is seen where it is used
  await client.connect();
  return client;
}

async function one(c, text, values) {
  const { rows } = await c.query({ text, values, rowMode: 'array' });
  assert.equal(rows.length, 1);
  return rows[0].length > 1 ? rows[0] : rows[0][0];
}

/* The error that a query must raise. */
async function fails(promise) {
  try {
    await promise;
  } catch (e) {
    return e;
  }
  throw new assert.AssertionError({ message: 'no error' });
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

test('connecting', async (c) => {
  assert.match(await one(c, 'show server_version'), /^15/);
  assert.equal(await one(c, 'select pg_backend_pid()'), c.processID);
  const named = await connect({ application_name: 'driver test',
    options: '-c timezone=Asia/Tokyo' });
  assert.deepEqual(await one(named,
    "select current_setting('application_name'), current_setting('TimeZone')"),
  ['driver test', 'Asia/Tokyo']);
  await named.end();
  const e = await fails(connect({ database: 'no_such_database' }));
  assert.equal(e.code, '3D000');
});

const TYPES = [
  ['bool', true], ['bool', false], ['int2', -32768], ['int4', 2147483647],
  ['int8', '-9223372036854775808'], ['float4', 1.5], ['float8', 0.1], ['float8', 1e308],
  ['numeric', '123456789012345678901234567890.123456789'], ['numeric(6,2)', '1.50'],
  ['text', ''], ['text', 'it\'s \\ "q"\n\t'], ['text', 'äöü 日本 😀'], ['text', 'x'.repeat(100000)],
  ['varchar(5)', 'abcde'], ['char(5)', 'ab   '], ['time', '23:59:59.999999'],
  ['timestamp', new Date(2024, 0, 2, 3, 4, 5, 6)],
  ['timestamptz', new Date(Date.UTC(2024, 0, 2, 3, 4, 5, 6))],
  ['date', new Date(2024, 1, 29)], ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['bytea', Buffer.from(Array.from({ length: 256 }, (_, i) => i))], ['bytea', Buffer.alloc(0)],
  ['int4[]', [1, -2, null]], ['text[]', ['a"b', 'c,d', '', null, 'NULL', '\\']],
  ['int4[]', []], ['int4[]', [[1, 2], [3, 4]]],
];

test('types', async (c) => {
  for (const [type, value] of TYPES) {
    assert.deepEqual(await one(c, `select $1::${type}`, [value]), value, type);
    assert.equal(await one(c, `select $1::${type}`, [null]), null);
    await c.query('drop table if exists ty');
    await c.query(`create table ty (v ${type})`);
    await c.query('insert into ty values ($1), ($2)', [value, null]);
    const { rows } = await c.query('select v from ty where v = $1', [value]);
    assert.deepEqual(rows, [{ v: value }], type);
    assert.equal(await one(c, 'select count(*)::int from ty where v is null'), 1);
  }
  assert.ok(Number.isNaN(await one(c, "select 'NaN'::float8")));
  assert.equal(await one(c, "select '-Infinity'::float8"), -Infinity);
  const interval = await one(c, "select interval '1 year 2 days 03:04:05.006'");
  assert.deepEqual({ ...interval },
    { years: 1, days: 2, hours: 3, minutes: 4, seconds: 5, milliseconds: 6 });
});

test('description', async (c) => {
  await c.query('create table de (a int, b varchar(7), c numeric(6, 2))');
  const r = await c.query('select a, b, c, a + 1 as d, null as e from de');
  assert.deepEqual(r.fields.map((f) => [f.name, f.dataTypeID, f.dataTypeModifier]), [
    ['a', 23, -1], ['b', 1043, 11], ['c', 1700, 393222], ['d', 23, -1], ['e', 25, -1]]);
  assert.equal(r.fields[0].tableID, await one(c, "select 'de'::regclass::oid"));
  assert.deepEqual(r.fields.map((f) => f.columnID), [1, 2, 3, 0, 0]);
});

test('parameters', async (c) => {
  await c.query('create table pa (id int primary key, name text, at timestamptz)');
  const at = new Date(1700000000123);
  let r = await c.query('insert into pa values ($1, $2, $3), ($4, $5, $6) returning id, at',
    [1, 'one', at, 2, null, null]);
  assert.deepEqual([r.command, r.rowCount, r.rows],
    ['INSERT', 2, [{ id: 1, at }, { id: 2, at: null }]]);
  r = await c.query('update pa set name = $2 where id = $1', [1, "O'Neil"]);
  assert.deepEqual([r.command, r.rowCount], ['UPDATE', 1]);
  r = await c.query('select * from pa where id = any($1) order by id', [[1, 2, 3]]);
  assert.equal(r.rowCount, 2);
  assert.equal(await one(c, 'select name from pa where name like $1', ["O'%"]), "O'Neil");
  assert.equal(await one(c, 'select $1::text || $1', ['ab']), 'abab');
  r = await c.query('select id from pa order by id limit $1 offset $2', [1, 1]);
  assert.deepEqual(r.rows, [{ id: 2 }]);
  r = await c.query('delete from pa where id = $1', [2]);
  assert.deepEqual([r.command, r.rowCount], ['DELETE', 1]);
  const list = Array.from({ length: 1000 }, (_, i) => i);
  const marks = list.map((i) => `($${i + 1}::int)`).join(',');
  assert.equal(await one(c, `select sum(x)::int from (values ${marks}) v (x)`, list), 499500);
  assert.equal((await fails(c.query('select $1::int', ['abc']))).code, '22P02');
  assert.equal((await fails(c.query('select $1::int, $2::int', [1]))).code, '08P01');
});

test('named statements', async (c) => {
  await c.query('create table na (id int primary key, v text)');
  for (let i = 0; i < 50; i++) {
    await c.query({ name: 'ins', text: 'insert into na values ($1, $2)', values: [i, `v${i}`] });
  }
  const find = (id) => c.query({ name: 'find', text: 'select v from na where id = $1',
    values: [id] });
  assert.deepEqual((await find(7)).rows, [{ v: 'v7' }]);
  assert.deepEqual((await find(999)).rows, []);
  assert.deepEqual(await one(c,
    'select count(*)::int, min(name), max(name) from pg_prepared_statements'), [2, 'find', 'ins']);
  assert.equal((await fails(c.query({ name: 'ins', values: [7, 'again'],
    text: 'insert into na values ($1, $2)' }))).code, '23505');
  assert.deepEqual((await find(49)).rows, [{ v: 'v49' }]);
  await c.query('alter table na add column w int default 5');
  assert.deepEqual((await find(3)).rows, [{ v: 'v3' }]);
  const all = { name: 'all', text: 'select * from na where id = 1' };
  assert.deepEqual((await c.query(all)).rows, [{ id: 1, v: 'v1', w: 5 }]);
  await c.query('alter table na drop column w');
  const e = await fails(c.query(all));
  assert.deepEqual([e.code, e.message], ['0A000', 'cached plan must not change result type']);
});

test('transactions', async (c) => {
  await c.query('create table tr (id int primary key)');
  const other = await connect();
  await c.query('begin');
  await c.query('insert into tr values ($1)', [1]);
  assert.equal(await one(other, 'select count(*)::int from tr'), 0);
  await c.query('savepoint s');
  assert.equal((await fails(c.query('insert into tr values (1)'))).code, '23505');
  assert.equal((await fails(c.query('select 1'))).code, '25P02');
  await c.query('rollback to s');
  await c.query('insert into tr values (2)');
  await c.query('commit');
  assert.equal(await one(other, 'select count(*)::int from tr'), 2);
  await c.query('begin');
  await c.query('delete from tr');
  await c.query('rollback');
  assert.equal(await one(other, 'select count(*)::int from tr'), 2);
  // Several statements in one query are one transaction.
  await fails(c.query('insert into tr values (3); insert into tr values (1)'));
  const many = await c.query('insert into tr values (4); select count(*)::int as n from tr');
  assert.deepEqual(many.map((r) => r.command), ['INSERT', 'SELECT']);
  assert.deepEqual(many[1].rows, [{ n: 3 }]);
  await other.end();
});

test('errors', async (c) => {
  let e = await fails(c.query('select nosuch from pg_class'));
  assert.deepEqual([e.severity, e.code, e.position], ['ERROR', '42703', '8']);
  assert.equal(e.message, 'column "nosuch" does not exist');
  e = await fails(c.query('select 1 fro x'));
  assert.deepEqual([e.code, e.position], ['42601', '14']);
  e = await fails(c.query('select * from no_such_table where id = $1', [1]));
  assert.deepEqual([e.code, e.position], ['42P01', '15']);
  await c.query('create table er (id int primary key, v int not null check (v > 0))');
  await c.query('insert into er values (1, 1)');
  e = await fails(c.query('insert into er values ($1, $2)', [1, 1]));
  assert.deepEqual([e.code, e.schema, e.table, e.constraint, e.detail],
    ['23505', 'public', 'er', 'er_pkey', 'Key (id)=(1) already exists.']);
  e = await fails(c.query('insert into er values (2, null)'));
  assert.deepEqual([e.code, e.table, e.column], ['23502', 'er', 'v']);
  e = await fails(c.query('insert into er values (2, 0)'));
  assert.deepEqual([e.code, e.constraint], ['23514', 'er_v_check']);
  assert.equal((await fails(c.query('select 1/$1::int', [0]))).code, '22012');
  assert.equal(await one(c, 'select 1'), 1);
  const notices = [];
  c.on('notice', (n) => notices.push([n.severity, n.code, n.message]));
  await c.query('drop table if exists nosuch');
  assert.deepEqual(notices, [['NOTICE', '00000', 'table "nosuch" does not exist, skipping']]);
});

test('many rows', async (c) => {
  await c.query('create table mr (id int primary key, v text)');
  await c.query("insert into mr select g, repeat('x', g % 500) from generate_series(1, 20000) g");
  const { rows } = await c.query('select * from mr order by id');
  assert.equal(rows.length, 20000);
  assert.ok(rows.every((r, i) => r.id === i + 1 && r.v.length === (i + 1) % 500));
  for (const r of rows.slice(0, 200)) {
    assert.equal(await one(c, 'select v from mr where id = $1', [r.id]), r.v);
  }
  const empty = await c.query('');
  assert.deepEqual(empty.rows, []);
});

test('pool', async () => {
  const pool = new pg.Pool({ ...config, max: 8 });
  await pool.query('create table po (id serial primary key, v int)');
  await Promise.all(Array.from({ length: 200 }, (_, i) =>
    pool.query('insert into po (v) values ($1)', [i])));
  const { rows } = await pool.query('select count(*)::int as n, sum(v)::int as s from po');
  assert.deepEqual(rows, [{ n: 200, s: 19900 }]);
  await pool.end();
});

test('cancelling', async (c) => {
  const other = await connect();
  const asleep = fails(c.query('select pg_sleep(30)'));
  await sleep(300);
  assert.equal(await one(other, 'select pg_cancel_backend($1)', [c.processID]), true);
  let e = await asleep;
  assert.deepEqual([e.code, e.message],
    ['57014', 'canceling statement due to user request']);
  assert.equal(await one(c, "select 'alive'"), 'alive');
  await other.end();
  const hurried = await connect({ statement_timeout: 200 });
  e = await fails(hurried.query('select pg_sleep(30)'));
  assert.deepEqual([e.code, e.message],
    ['57014', 'canceling statement due to statement timeout']);
  e = await fails(hurried.query('select count(*) from generate_series(1, 100000000) a, '
    + 'generate_series(1, 1000) b'));
  assert.equal(e.code, '57014');
  assert.equal(await one(hurried, 'select 1'), 1);
  await hurried.end();
  const impatient = await connect({ query_timeout: 200 });
  e = await fails(impatient.query('select pg_sleep(1)'));
  assert.equal(e.message, 'Query read timeout');
  await impatient.end();
});

async function runOne(t) {
  const c = await connect();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${TEST_MS_MAX} ms`)), TEST_MS_MAX);
  });
  try {
    await c.query('set client_min_messages = warning');
    await c.query('drop schema if exists public cascade');
    await c.query('create schema public');
    await c.query('reset client_min_messages');
    await Promise.race([t.run(c), late]);
    console.log(`ok   ${t.name}`);
    return true;
  } catch (e) {
    console.log(`FAIL ${t.name}\n${e.stack}`);
    return false;
  } finally {
    clearTimeout(timer);
    c.end().catch(() => {});
  }
}

async function runAll(names) {
  const chosen = tests.filter((t) => names.length === 0 || names.includes(t.name));
  let good = 0;
  for (const t of chosen) good += await runOne(t);
  console.log(`${good} of ${chosen.length} passed`);
  return good === chosen.length ? 0 : 1;
}

/* The port is the server's own choice, read from its log. */
function start(binary, data) {
  const server = childProcess.spawn(binary,
    ['--data', data, '--pg-port', '0', '--set', 'log.level=notice'],
    { stdio: ['ignore', 'pipe', 'pipe'] });
  server.log = '';
  server.ended = new Promise((resolve) => {
    server.on('exit', resolve);
    server.on('error', resolve);
  });
  const ready = new Promise((resolve, reject) => {
    const read = (piece) => {
      server.log = (server.log + piece).slice(-100000);
      const found = READY.exec(server.log);
      if (found) resolve({ host: found[1], port: Number(found[2]) });
    };
    server.stdout.on('data', read);
    server.stderr.on('data', read);
    server.on('error', reject);
    server.on('exit', () => reject(new Error('the server ended')));
    setTimeout(() => reject(new Error('the server did not come up')), START_MS_MAX).unref();
  });
  return { server, ready };
}

async function runWithServer(binary, names) {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'helios-test-'));
  const { server, ready } = start(binary, data);
  let status = 1;
  try {
    config = { ...await ready, user: 'postgres', database: 'postgres' };
    status = await runAll(names);
  } catch (e) {
    console.log(e.stack);
  }
  server.kill('SIGTERM');
  const timer = setTimeout(() => server.kill('SIGKILL'), STOP_MS_MAX);
  const ended = await server.ended;
  clearTimeout(timer);
  fs.rmSync(data, { recursive: true, force: true });
  if (ended !== 0) console.log(`the server ended with status ${ended} after SIGTERM`);
  if (ended !== 0 || status !== 0) console.log(server.log.slice(-4000));
  return ended === 0 ? status : 1;
}

async function main(args) {
  const url = process.env.HELIOS_TEST_URL;
  if (url) {
    const { hostname, port, username, password, pathname } = new URL(url);
    config = { host: hostname, port: Number(port) || 5432, user: username, password,
      database: pathname.slice(1) };
    return runAll(args);
  }
  if (args.length === 0) {
    console.log('test_node_pg.js HELIOSD [NAME ...]');
    return 2;
  }
  return runWithServer(path.resolve(args[0]), args.slice(1));
}

main(process.argv.slice(2)).then((status) => process.exit(status));
