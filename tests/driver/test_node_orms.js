#!/usr/bin/env node
/* Object mappers and migration tools of Node.js against the server: knex, sequelize, typeorm, drizzle.
 * Each makes its tables, looks at them, changes them, writes and reads.
 *
 *     test_node_orms.js HELIOSD [NAME ...]
 *     HELIOS_TEST_AT="HOST PORT" test_node_orms.js - [NAME ...]    the same against another server
 *
 * Those that are not installed (npm install knex sequelize typeorm drizzle-orm pg, found by NODE_PATH) are
 * skipped; when there is none at all it ends with 77. */
'use strict';
const assert = require('assert').strict;
const childProcess = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const READY = /ready: postgresql on ([0-9.]+):(\d+)/;
const START_MS_MAX = 30000;
const STOP_MS_MAX = 30000;
const TEST_MS_MAX = 60000;
const NAME = 'helios_peer';
const tests = [];
let at; // host, port, user, database

function find(name) {
  try {
    return require(name);
  } catch (e) {
    if (e.code !== 'MODULE_NOT_FOUND') throw e;
    return null;
  }
}

const pg = find('pg');

function test(name, run) { tests.push({ name, run }); }

/* The error that a promise must end with. */
async function fails(promise) {
  try {
    await promise;
  } catch (e) {
    return e;
  }
  throw new assert.AssertionError({ message: 'no error' });
}

async function sql(database, ...statements) {
  const c = new pg.Client({ ...at, database });
  await c.connect();
  try {
    let result;
    for (const s of statements) result = await c.query(s);
    return result.rows;
  } finally {
    await c.end();
  }
}

test('knex', async (make) => {
  const knex = make({ client: 'pg', connection: at, pool: { min: 0, max: 3 } });
  const steps = {
    one: async (k) => {
      await k.schema.createTable('people', (t) => {
        t.increments('id');
        t.string('name', 50).notNullable().index();
        t.string('email').unique();
        t.decimal('money', 10, 2).defaultTo(0);
        t.jsonb('info').defaultTo('{}');
        t.enu('kind', ['a', 'b']).defaultTo('a');
        t.specificType('words', 'text[]');
        t.boolean('on').notNullable().defaultTo(true);
        t.uuid('key').defaultTo(k.fn.uuid());
        t.timestamps(true, true);
      });
      await k.schema.createTable('pets', (t) => {
        t.bigIncrements();
        t.integer('owner').unsigned().references('people.id').onDelete('CASCADE');
        t.string('name').comment('what it is called');
        t.float('weight');
        t.date('born');
        t.unique(['owner', 'name']);
        t.comment('animals');
      });
    },
    two: async (k) => {
      await k.schema.alterTable('people', (t) => {
        t.renameColumn('on', 'active');
        t.text('note').nullable();
        t.string('name', 80).notNullable().alter();
        t.dropColumn('key');
        t.index(['kind', 'name'], 'people_kind');
        t.check('money >= 0', {}, 'rich');
      });
      await k.schema.renameTable('pets', 'animals');
      await k.schema.createView('named', (v) => {
        v.columns(['id', 'name']);
        v.as(k('people').select('id', 'name').where('active', true));
      });
    },
  };
  const migrationSource = {
    getMigrations: async () => Object.keys(steps),
    getMigrationName: (m) => m,
    getMigration: async (m) => ({ up: steps[m], down: async () => {} }),
  };
  const [batch, log] = await knex.migrate.latest({ migrationSource });
  assert.deepEqual([batch, log], [1, ['one', 'two']]);
  assert.deepEqual((await knex.migrate.latest({ migrationSource }))[1], []);
  assert.equal(await knex.migrate.currentVersion({ migrationSource }), 'two');
  assert.equal(await knex.schema.hasTable('animals'), true);
  assert.equal(await knex.schema.hasTable('pets'), false);
  assert.equal(await knex.schema.hasColumn('people', 'active'), true);
  const info = await knex('people').columnInfo();
  assert.deepEqual(info.name, { type: 'character varying', maxLength: 80, nullable: false, defaultValue: null });
  assert.equal(info.id.defaultValue, "nextval('people_id_seq'::regclass)");
  assert.equal(info.money.type, 'numeric');
  assert.equal(info.words.type, 'ARRAY');

  const [ann] = await knex('people').insert({ name: 'Ann', email: 'ann@x', money: '12.50', info: { a: [1, 2] },
                                              words: ['x', 'y z'] }).returning('*');
  assert.deepEqual([ann.id, ann.money, ann.info, ann.words, ann.active, ann.kind],
                   [1, '12.50', { a: [1, 2] }, ['x', 'y z'], true, 'a']);
  assert.ok(ann.created_at instanceof Date);
  await knex.batchInsert('people', Array.from({ length: 50 }, (_, i) => ({ name: `P${i}`, money: i })), 20);
  await knex('animals').insert([{ owner: 1, name: 'Rex', weight: 1.5, born: '2020-01-02' }, { owner: 2, name: 'Tom' }]);
  assert.deepEqual(await knex('people as p').join('animals as a', 'a.owner', 'p.id').select('p.name', 'a.name as pet')
                     .orderBy('p.id'), [{ name: 'Ann', pet: 'Rex' }, { name: 'P0', pet: 'Tom' }]);
  await knex('people').insert({ name: 'Ann again', email: 'ann@x' }).onConflict('email').merge(['name']);
  assert.equal((await knex('people').where({ email: 'ann@x' }).first()).name, 'Ann again');
  assert.equal(await knex('people').where('money', '>', 45).update({ note: 'rich' }), 4);
  assert.equal((await knex('people').sum('money as s'))[0].s, '1237.50');
  assert.equal((await knex('people').whereJsonSupersetOf('info', { a: [2] }).count())[0].count, '1');
  assert.equal((await knex('people').whereILike('name', 'p4%').count())[0].count, '11');
  const error = await fails(knex('people').insert({ name: 'x', money: -1 }));
  assert.equal(error.code, '23514');
  assert.equal(error.constraint, 'rich');
  await fails(knex.transaction(async (trx) => {
    await trx('people').del();
    await trx.transaction(async (inner) => { await inner('people').insert({ name: 'in' }); });
    throw new Error('back');
  }));
  assert.equal((await knex('named').count())[0].count, '51');
  await knex('people').where({ id: 1 }).del();
  assert.equal((await knex('animals').count())[0].count, '1');
  await knex.schema.dropView('named');
  await knex.schema.dropTableIfExists('animals').dropTable('people');
  await knex.destroy();
});

test('sequelize', async ({ Sequelize, DataTypes, Op, UniqueConstraintError, ForeignKeyConstraintError }) => {
  const s = new Sequelize(at.database, at.user, '', { host: at.host, port: at.port, dialect: 'postgres', logging: false });
  await s.authenticate();
  assert.match(await s.databaseVersion(), /^15/);
  const User = s.define('User', {
    name: { type: DataTypes.STRING(40), allowNull: false },
    email: { type: DataTypes.STRING, unique: true },
    born: DataTypes.DATEONLY,
    balance: { type: DataTypes.DECIMAL(10, 2), defaultValue: 0 },
    big: DataTypes.BIGINT,
    ratio: DataTypes.DOUBLE,
    key: { type: DataTypes.UUID, defaultValue: DataTypes.UUIDV4 },
    info: DataTypes.JSONB,
    words: DataTypes.ARRAY(DataTypes.TEXT),
    raw: DataTypes.BLOB,
    active: { type: DataTypes.BOOLEAN, defaultValue: true },
  }, { paranoid: true, indexes: [{ fields: ['name', { name: 'born', order: 'DESC' }], name: 'user_name_born' },
                                 { fields: ['balance'], where: { active: true } }] });
  const Post = s.define('Post', { title: { type: DataTypes.STRING, comment: 'its name' }, body: DataTypes.TEXT });
  const Tag = s.define('Tag', { word: { type: DataTypes.STRING, primaryKey: true } }, { timestamps: false });
  User.hasMany(Post, { as: 'posts', foreignKey: { name: 'userId', allowNull: false }, onDelete: 'CASCADE' });
  Post.belongsTo(User, { as: 'user', foreignKey: 'userId' });
  Post.belongsToMany(Tag, { through: 'PostTags' });
  Tag.belongsToMany(Post, { through: 'PostTags' });
  await s.sync({ force: true });
  await s.sync({ alter: true });
  const q = s.getQueryInterface();
  assert.deepEqual((await q.showAllTables()).map((t) => t.tableName || t).sort(), ['PostTags', 'Posts', 'Tags', 'Users']);
  const users = await q.describeTable('Users');
  assert.equal(users.id.primaryKey, true);
  assert.equal(users.name.type, 'CHARACTER VARYING(40)');
  assert.equal(users.name.allowNull, false);
  assert.equal(users.active.defaultValue, true);
  assert.equal(users.words.type, 'ARRAY');
  assert.equal((await q.describeTable('Posts')).title.comment, 'its name');
  const indexes = await q.showIndex('Users');
  const named = indexes.find((i) => i.name === 'user_name_born');
  assert.deepEqual(named.fields.map((f) => [f.attribute, f.order]), [['name', undefined], ['born', 'DESC']]);
  assert.ok(indexes.find((i) => i.primary && i.unique));
  const [reference] = await q.getForeignKeyReferencesForTable('Posts');
  assert.deepEqual([reference.columnName, reference.referencedTableName, reference.referencedColumnName],
                   ['userId', 'Users', 'id']);

  const ann = await User.create({ name: 'Ann', email: 'a@x', born: '1990-01-02', balance: '10.50', big: '9007199254740993',
                                  ratio: 0.1, info: { a: { b: [1, null] } }, words: ['x', 'y,z'], raw: Buffer.from([0, 255]),
                                  posts: [{ title: 'one' }, { title: 'two' }] }, { include: ['posts'] });
  const back = await User.findByPk(ann.id, { include: [{ model: Post, as: 'posts', include: [Tag] }], order: [['posts', 'title']] });
  assert.deepEqual([back.name, back.born, back.balance, back.big, back.ratio, back.info, back.words, [...back.raw], back.key],
                   ['Ann', '1990-01-02', '10.50', '9007199254740993', 0.1, { a: { b: [1, null] } }, ['x', 'y,z'], [0, 255],
                    ann.key]);
  assert.deepEqual(back.posts.map((p) => p.title), ['one', 'two']);
  await back.posts[0].addTag(await Tag.create({ word: 'good' }));
  assert.equal(await Post.count({ include: [{ model: Tag, where: { word: 'good' } }] }), 1);
  await User.bulkCreate(Array.from({ length: 20 }, (_, i) => ({ name: `U${i}`, email: `u${i}@x`, balance: i })));
  await User.bulkCreate([{ name: 'U0!', email: 'u0@x' }], { updateOnDuplicate: ['name'], conflictAttributes: ['email'] });
  assert.equal(await User.count({ where: { name: { [Op.like]: 'U_!' } } }), 1);
  const [, made] = await User.findOrCreate({ where: { email: 'new@x' }, defaults: { name: 'New' } });
  const [, again] = await User.findOrCreate({ where: { email: 'new@x' }, defaults: { name: 'New' } });
  assert.deepEqual([made, again], [true, false]);
  assert.equal((await User.upsert({ email: 'new@x', name: 'Newer' }, { conflictFields: ['email'] }))[0].name, 'Newer');
  assert.equal(await User.sum('balance', { where: { name: { [Op.iLike]: 'u%' } } }), 190);
  assert.equal((await User.findAll({ where: { info: { a: { b: { [Op.ne]: null } } } } })).length, 1);
  assert.equal((await User.findAll({ where: { words: { [Op.contains]: ['x'] } } })).length, 1);
  const groups = await User.findAll({ attributes: ['active', [s.fn('COUNT', s.col('id')), 'n']], group: ['active'], raw: true });
  assert.deepEqual(groups, [{ active: true, n: '22' }]);
  assert.ok(await fails(User.create({ name: 'x', email: 'a@x' })) instanceof UniqueConstraintError);
  assert.ok(await fails(Post.create({ title: 'x', userId: 4711 })) instanceof ForeignKeyConstraintError);
  await fails(s.transaction({ isolationLevel: 'SERIALIZABLE' }, async (t) => {
    await User.destroy({ where: {}, transaction: t });
    throw new Error('back');
  }));
  await ann.increment('balance', { by: 2 });
  assert.equal((await ann.reload()).balance, '12.50');
  await ann.destroy();
  assert.equal(await User.count(), 21);
  await ann.restore();
  await q.addColumn('Posts', 'stars', { type: DataTypes.INTEGER, defaultValue: 3 });
  await q.renameColumn('Posts', 'body', 'content');
  await q.changeColumn('Posts', 'title', { type: DataTypes.STRING(300), allowNull: false });
  assert.equal((await q.describeTable('Posts')).title.type, 'CHARACTER VARYING(300)');
  await q.removeColumn('Posts', 'stars');
  await q.dropAllTables();
  assert.deepEqual(await q.showAllTables(), []);
  await s.close();
});

test('typeorm', async ({ DataSource, EntitySchema, In, Not, IsNull, MoreThan }) => {
  const Author = new EntitySchema({
    name: 'Author', tableName: 'author',
    columns: {
      id: { type: Number, primary: true, generated: 'increment' },
      name: { type: 'varchar', length: 60, comment: 'in full' },
      email: { type: String, unique: true, nullable: true },
      made: { type: 'timestamptz', createDate: true },
      version: { type: Number, version: true },
    },
    relations: { books: { type: 'one-to-many', target: 'Book', inverseSide: 'author', cascade: true } },
    checks: [{ expression: '"name" <> \'\'' }],
  });
  const Book = new EntitySchema({
    name: 'Book', tableName: 'book',
    columns: {
      id: { type: 'bigint', primary: true, generated: 'identity' },
      title: { type: 'text' },
      price: { type: 'numeric', precision: 10, scale: 2, default: () => '1.5' },
      info: { type: 'jsonb', nullable: true },
      words: { type: 'text', array: true, default: '{}' },
      raw: { type: 'bytea', nullable: true },
      out: { type: 'date', nullable: true },
      at: { type: 'time', nullable: true },
      took: { type: 'interval', nullable: true },
      key: { type: 'uuid', generated: 'uuid' },
      ok: { type: 'boolean', default: false },
      weight: { type: 'float8', default: 0 },
      small: { type: 'smallint', default: 7 },
      code: { type: 'char', length: 3, nullable: true },
      upper: { type: 'varchar', generatedType: 'STORED', asExpression: 'upper(title)', nullable: true },
    },
    relations: {
      author: { type: 'many-to-one', target: 'Author', inverseSide: 'books', onDelete: 'CASCADE', joinColumn: true },
      tags: { type: 'many-to-many', target: 'Tag', joinTable: true, cascade: true },
    },
    indices: [{ name: 'book_title', columns: ['title'] },
              { name: 'book_ok', columns: ['ok'], where: '"price" > 5' }],
    uniques: [{ columns: ['title', 'author'] }],
  });
  const Tag = new EntitySchema({ name: 'Tag', tableName: 'tag', columns: { word: { type: String, primary: true } } });
  const options = { type: 'postgres', host: at.host, port: at.port, username: at.user, database: at.database,
                    entities: [Author, Book, Tag], installExtensions: false, uuidExtension: 'pgcrypto', logging: false };
  let d = await new DataSource(options).initialize();
  await d.synchronize();
  const said = (await d.driver.createSchemaBuilder().log()).upQueries.map((x) => x.query);
  assert.deepEqual(said, []); // what is there is what the entities say
  const runner = d.createQueryRunner();
  const table = await runner.getTable('book');
  const byName = Object.fromEntries(table.columns.map((c) => [c.name, c]));
  assert.deepEqual([byName.id.type, byName.id.isPrimary, byName.id.isGenerated, byName.price.precision, byName.price.scale],
                   ['bigint', true, true, 10, 2]);
  assert.deepEqual([byName.words.type, byName.words.isArray, byName.code.length, byName.upper.generatedType],
                   ['text', true, '3', 'STORED']);
  assert.deepEqual(table.indices.map((i) => i.name).sort(), ['book_ok', 'book_title']);
  assert.equal(table.foreignKeys[0].onDelete, 'CASCADE');
  assert.equal(await runner.hasTable('nosuch'), false);
  assert.equal(await runner.hasColumn('book', 'price'), true);
  await runner.release();

  const authors = d.getRepository('Author'), books = d.getRepository('Book');
  const ann = await authors.save({ name: 'Ann', email: 'a@x', books: [
    { title: 'one', price: '9.25', info: { a: [1] }, words: ['x', 'y,z'], raw: Buffer.from([0, 255]), out: '2024-02-29',
      at: '10:20:30', code: 'abc', tags: [{ word: 'good' }, { word: 'long' }] }, { title: 'two' }] });
  const one = await books.findOne({ where: { title: 'one' }, relations: { author: true, tags: true } });
  assert.deepEqual([one.price, one.info, one.words, [...one.raw], one.out, one.at, one.code, one.upper, one.author.name],
                   ['9.25', { a: [1] }, ['x', 'y,z'], [0, 255], '2024-02-29', '10:20:30', 'abc', 'ONE', 'Ann']);
  assert.deepEqual(one.tags.map((t) => t.word).sort(), ['good', 'long']);
  assert.match(one.key, /^[0-9a-f-]{36}$/);
  const two = await books.findOneBy({ title: 'two' });
  assert.deepEqual([two.price, two.words, two.small, two.ok], ['1.50', [], 7, false]);
  ann.name = 'Anna';
  assert.equal((await authors.save(ann)).version, 2);
  assert.equal(await books.countBy({ title: In(['one', 'two']), price: MoreThan(2), info: Not(IsNull()) }), 1);
  const [found, all] = await books.findAndCount({ relations: ['tags'], order: { title: 'DESC' }, take: 1, skip: 1 });
  assert.deepEqual([found[0].title, all], ['one', 2]);
  const raw = await books.createQueryBuilder('b').leftJoin('b.tags', 't').select('b.title', 'title')
    .addSelect('count(t.word)', 'n').groupBy('b.title').orderBy('n', 'DESC').getRawMany();
  assert.deepEqual(raw, [{ title: 'one', n: '2' }, { title: 'two', n: '0' }]);
  await d.createQueryBuilder().insert().into('Tag').values([{ word: 'good' }]).orIgnore().execute();
  await d.getRepository('Tag').upsert([{ word: 'good' }, { word: 'new' }], ['word']);
  assert.equal(await d.getRepository('Tag').count(), 3);
  assert.equal((await fails(authors.insert({ name: 'x', email: 'a@x' }))).driverError.code, '23505');
  assert.equal((await fails(authors.insert({ name: '' }))).driverError.code, '23514');
  await fails(d.transaction('SERIALIZABLE', async (m) => {
    await m.delete('Book', {});
    await m.transaction(async (inner) => { await inner.insert('Tag', { word: 'inner' }); });
    throw new Error('back');
  }));
  assert.equal(await books.count(), 2);
  await d.destroy();

  class Moved1700000000000 {
    async up(q) {
      await q.query('alter table author rename column email to mail');
      await q.query('create view titled as select title from book');
    }
    async down(q) {
      await q.query('drop view titled');
      await q.query('alter table author rename column mail to email');
    }
  }
  d = await new DataSource({ ...options, migrations: [Moved1700000000000] }).initialize();
  assert.equal((await d.runMigrations()).length, 1);
  assert.equal(await d.showMigrations(), false);
  assert.deepEqual(await d.query('select title from titled order by 1'), [{ title: 'one' }, { title: 'two' }]);
  await d.undoLastMigration();
  assert.equal((await d.getRepository('Author').delete({ name: 'Anna' })).affected, 1);
  assert.equal(await d.getRepository('Book').count(), 0);
  await d.dropDatabase();
  assert.deepEqual(await sql(NAME, "select tablename from pg_tables where schemaname = 'public'"), []);
  await d.destroy();
});

test('drizzle', async () => {
  const { drizzle } = require('drizzle-orm/node-postgres');
  const { migrate } = require('drizzle-orm/node-postgres/migrator');
  const { relations, eq, sql: say, desc, count, and, inArray, exists } = require('drizzle-orm');
  const p = require('drizzle-orm/pg-core');
  const users = p.pgTable('users', { id: p.serial('id').primaryKey(), name: p.text('name').notNull(),
                                     info: p.jsonb('info'), words: p.text('words').array() });
  const posts = p.pgTable('posts', {
    id: p.integer('id').primaryKey().generatedAlwaysAsIdentity(), title: p.varchar('title', { length: 30 }),
    user: p.integer('user_id').references(() => users.id), price: p.numeric('price', { precision: 8, scale: 2 }),
    at: p.timestamp('at', { withTimezone: true }).defaultNow() });
  const schema = { users, posts,
    usersRelations: relations(users, ({ many }) => ({ posts: many(posts) })),
    postsRelations: relations(posts, ({ one }) => ({ user: one(users, { fields: [posts.user], references: [users.id] }) })) };
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helios-drizzle-'));
  fs.mkdirSync(path.join(folder, 'meta'));
  fs.writeFileSync(path.join(folder, 'meta', '_journal.json'), JSON.stringify({
    version: '7', dialect: 'postgresql', entries: [{ idx: 0, version: '7', when: 1700000000000, tag: '0000_first', breakpoints: true },
                                                   { idx: 1, version: '7', when: 1700000000001, tag: '0001_second', breakpoints: true }] }));
  fs.writeFileSync(path.join(folder, '0000_first.sql'), `CREATE TABLE IF NOT EXISTS "users" (
	"id" serial PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"info" jsonb,
	"words" text[]
);
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "posts" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "posts_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"title" varchar(30),
	"user_id" integer,
	"at" timestamp with time zone DEFAULT now()
);`);
  fs.writeFileSync(path.join(folder, '0001_second.sql'), `ALTER TABLE "posts" ADD COLUMN "price" numeric(8, 2);
--> statement-breakpoint
DO $$ BEGIN
 ALTER TABLE "posts" ADD CONSTRAINT "posts_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;
EXCEPTION
 WHEN duplicate_object THEN null;
END $$;
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "posts_title" ON "posts" USING btree ("title" DESC NULLS LAST,"price");`);
  const pool = new pg.Pool({ ...at, max: 3 });
  const db = drizzle(pool, { schema });
  await migrate(db, { migrationsFolder: folder });
  await migrate(db, { migrationsFolder: folder });
  fs.rmSync(folder, { recursive: true });
  assert.deepEqual(await sql(NAME, 'select count(*)::int as n from drizzle.__drizzle_migrations'), [{ n: 2 }]);

  const made = await db.insert(users).values([{ name: 'Ann', info: { a: [1] }, words: ['x', 'y,z'] }, { name: 'Bob' }]).returning();
  assert.deepEqual(made[0], { id: 1, name: 'Ann', info: { a: [1] }, words: ['x', 'y,z'] });
  await db.insert(posts).values([{ title: 'one', user: 1, price: '1.50' }, { title: 'two', user: 1 }, { title: 'three', user: 2 }]);
  const nested = await db.query.users.findMany({ columns: { name: true }, orderBy: users.id,
    with: { posts: { columns: { title: true, price: true }, orderBy: posts.id, with: { user: { columns: { name: true } } } } } });
  assert.deepEqual(nested, [
    { name: 'Ann', posts: [{ title: 'one', price: '1.5', user: { name: 'Ann' } }, { title: 'two', price: null, user: { name: 'Ann' } }] },
    { name: 'Bob', posts: [{ title: 'three', price: null, user: { name: 'Bob' } }] }]);
  const first = await db.query.posts.findFirst({ where: eq(posts.title, 'one'), with: { user: true } });
  assert.deepEqual([first.user.words, first.at instanceof Date], [['x', 'y,z'], true]);
  assert.deepEqual(await db.select({ name: users.name, n: count(posts.id) }).from(users).leftJoin(posts, eq(posts.user, users.id))
                     .groupBy(users.id).orderBy(desc(count(posts.id))), [{ name: 'Ann', n: 2 }, { name: 'Bob', n: 1 }]);
  await db.insert(users).values({ id: 1, name: 'Anna' }).onConflictDoUpdate({ target: users.id, set: { name: say`excluded.name` } });
  const dear = db.$with('dear').as(db.select({ id: posts.id, user: posts.user }).from(posts).where(inArray(posts.title, ['one', 'three'])));
  assert.equal((await db.with(dear).select().from(dear)).length, 2);
  assert.equal((await db.select().from(users).where(and(eq(users.name, 'Anna'),
    exists(db.select().from(posts).where(eq(posts.user, users.id))))).for('update')).length, 1);
  await fails(db.transaction(async (t) => {
    await t.delete(posts);
    await t.transaction(async (inner) => { await inner.update(users).set({ name: 'x' }); });
    throw new Error('back');
  }, { isolationLevel: 'serializable' }));
  const prepared = db.select().from(posts).where(eq(posts.title, say.placeholder('t'))).prepare('by_title');
  for (const t of ['one', 'two']) assert.equal((await prepared.execute({ t })).length, 1);
  const error = await fails(db.insert(posts).values({ user: 99 }));
  assert.equal((error.cause || error).code, '23503');
  await pool.end();
});

const MODULES = { knex: 'knex', sequelize: 'sequelize', typeorm: 'typeorm', drizzle: 'drizzle-orm' };

/* The server, as tests/lib/server.py starts it. */
function startServer(binary) {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'helios-test-'));
  const child = childProcess.spawn(binary, ['--data', data, '--pg-port', '0', '--set', 'log.level=notice',
                                            '--set', 'front_workers=2'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const log = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => { child.kill('SIGKILL'); reject(new Error('no start:\n' + log.join(''))); }, START_MS_MAX);
    const seen = (chunk) => {
      log.push(chunk.toString());
      const found = READY.exec(log.join(''));
      if (!found) return;
      clearTimeout(timer);
      resolve({ child, data, log, host: found[1], port: Number(found[2]) });
    };
    child.stdout.on('data', seen);
    child.stderr.on('data', seen);
    child.on('exit', (status) => reject(new Error(`ended with ${status}:\n` + log.join(''))));
  });
}

function stopServer(server) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => { server.child.kill('SIGKILL'); reject(new Error('no end')); }, STOP_MS_MAX);
    server.child.removeAllListeners('exit');
    server.child.on('exit', (status) => {
      clearTimeout(timer);
      fs.rmSync(server.data, { recursive: true, force: true });
      if (status === 0) resolve();
      else reject(new Error(`ended with ${status}:\n` + server.log.slice(-20).join('')));
    });
    server.child.kill('SIGTERM');
  });
}

async function runTest(t) {
  const found = find(MODULES[t.name] === 'drizzle-orm' ? 'drizzle-orm' : MODULES[t.name]);
  if (!found) {
    console.log('skipped', t.name);
    return null;
  }
  await sql('postgres', `drop database if exists ${NAME} with (force)`, `create database ${NAME}`);
  const begun = Date.now();
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('no end')), TEST_MS_MAX); });
  try {
    await Promise.race([t.run(found.default && t.name === 'knex' ? found.default : found), late]);
    console.log(`ok   ${t.name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
    return true;
  } catch (e) {
    console.log(`FAIL ${t.name}\n${e.stack}\n${e.query || e.sql || (e.parent && `${e.parent.message}\n${e.parent.sql}`) || ''}`);
    return false;
  } finally {
    clearTimeout(timer);
  }
}

async function main() {
  const [binary, ...names] = process.argv.slice(2);
  if (!pg) {
    console.log('skipped: the npm package pg is not there');
    return 77;
  }
  const elsewhere = (process.env.HELIOS_TEST_AT || '').split(' ');
  const server = elsewhere.length > 1 ? null : await startServer(binary);
  at = { host: server ? server.host : elsewhere[0], port: server ? server.port : Number(elsewhere[1]), user: 'postgres',
         database: NAME };
  const results = [];
  for (const t of tests) if (!names.length || names.includes(t.name)) results.push(await runTest(t));
  if (server) await stopServer(server);
  if (results.includes(false)) return 1;
  return results.includes(true) ? 0 : 77;
}

main().then((status) => process.exit(status), (e) => { console.log(e); process.exit(1); });
