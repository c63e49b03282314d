#!/usr/bin/python3
"""SQLAlchemy 1.4 (over psycopg2) against the server: models made as tables, reflected, written and read.

    test_sqlalchemy.py HELIOSD [NAME ...]
    HELIOS_TEST_AT="HOST PORT" test_sqlalchemy.py - [NAME ...]     the same against another server
"""
import datetime as dt
import enum
import os
import sys
import uuid
import warnings
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import exc, orm
from sqlalchemy.dialects import postgresql as pg

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from peer import Peer, ServerError, run_tests  # noqa: E402

Base = orm.declarative_base()
ENGINE = None
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Kind(enum.Enum):
    NOVEL = "novel"
    ESSAY = "essay"


book_tag = sa.Table(
    "book_tag", Base.metadata,
    sa.Column("book_id", sa.ForeignKey("shop.book.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("tag.id"), primary_key=True))


class Author(Base):
    __tablename__ = "author"
    __table_args__ = (sa.UniqueConstraint("first", "last", name="author_name"),
                      sa.CheckConstraint("born > '1000-01-01'", name="author_born"),
                      {"comment": "who writes"})
    id = sa.Column(sa.Integer, primary_key=True)
    first = sa.Column(sa.String(40), nullable=False, comment="given name")
    last = sa.Column(sa.String(40), nullable=False, index=True)
    born = sa.Column(sa.Date)
    books = orm.relationship("Book", back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "book"
    __table_args__ = (sa.Index("book_title_lower", sa.text("lower(title)")),
                      sa.Index("book_cheap", "price", postgresql_where=sa.text("price < 5")),
                      sa.Index("book_when", sa.text("made desc"), "author_id"),
                      {"schema": "shop"})
    id = sa.Column(sa.BigInteger, sa.Identity(start=10), primary_key=True)
    author_id = sa.Column(sa.ForeignKey("author.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"))
    title = sa.Column(sa.Text, nullable=False, server_default="untitled")
    kind = sa.Column(sa.Enum(Kind, native_enum=False, create_constraint=True, name="book_kind"))
    price = sa.Column(sa.Numeric(10, 2), nullable=False, server_default=sa.text("0"))
    taxed = sa.Column(sa.Numeric(10, 2), sa.Computed("price * 1.2", persisted=True))
    weight = sa.Column(sa.Float)
    light = sa.Column(sa.REAL)
    pages = sa.Column(sa.SmallInteger)
    out = sa.Column(sa.Boolean, default=False, nullable=False)
    made = sa.Column(sa.DateTime(timezone=True), server_default=sa.func.now())
    sold = sa.Column(sa.DateTime)
    opens = sa.Column(sa.Time)
    lent = sa.Column(sa.Interval)
    scan = sa.Column(sa.LargeBinary)
    key = sa.Column(pg.UUID(as_uuid=True), unique=True)
    info = sa.Column(pg.JSONB)
    plain = sa.Column(sa.JSON)
    words = sa.Column(pg.ARRAY(sa.Text))
    grid = sa.Column(pg.ARRAY(sa.Integer, dimensions=2))
    author = orm.relationship("Author", back_populates="books")
    tags = orm.relationship("Tag", secondary=book_tag, order_by="Tag.name")


class Tag(Base):
    __tablename__ = "tag"
    id = sa.Column(sa.Integer, sa.Sequence("tag_numbers", start=5), primary_key=True)
    name = sa.Column(sa.String, unique=True)


def session():
    return orm.Session(ENGINE, future=True)


@test
def created():
    """Tables in the order of their references, twice: the second time they are found."""
    with ENGINE.begin() as c:
        c.execute(sa.schema.CreateSchema("shop"))
    Base.metadata.create_all(ENGINE)
    Base.metadata.create_all(ENGINE)
    with ENGINE.begin() as c:
        c.execute(sa.text("create view titles as select title from shop.book where out"))
        c.execute(sa.text("create materialized view counts as select count(*) as n from author"))
    assert ENGINE.dialect.server_version_info[0] == 15, ENGINE.dialect.server_version_info
    assert ENGINE.dialect.default_schema_name == "public"


@test
def names():
    i = sa.inspect(ENGINE)
    assert set(i.get_schema_names()) == {"information_schema", "public", "shop"}, i.get_schema_names()
    assert sorted(i.get_table_names()) == ["author", "book_tag", "tag"], i.get_table_names()
    assert i.get_table_names("shop") == ["book"]
    assert sorted(i.get_view_names()) == ["counts", "titles"], i.get_view_names()
    assert i.get_view_names(include="materialized") == ["counts"]
    assert "SELECT book.title" in i.get_view_definition("titles")
    assert sorted(i.get_sequence_names()) == ["author_id_seq", "tag_numbers"], i.get_sequence_names()
    assert i.has_table("author") and not i.has_table("book") and i.has_table("book", "shop")
    assert i.has_sequence("tag_numbers") and not i.has_sequence("nosuch")
    assert i.get_enums() == [] and i.get_foreign_table_names() == []


@test
def columns():
    i = sa.inspect(ENGINE)
    got = {c["name"]: c for c in i.get_columns("book", "shop")}
    assert list(got) == [c.name for c in Book.__table__.columns], list(got)
    types = {k: str(c["type"].compile(ENGINE.dialect)) for k, c in got.items()}
    assert types == {
        "id": "BIGINT", "author_id": "INTEGER", "title": "TEXT", "kind": "VARCHAR(5)",
        "price": "NUMERIC(10, 2)", "taxed": "NUMERIC(10, 2)", "weight": "FLOAT", "light": "REAL",
        "pages": "SMALLINT", "out": "BOOLEAN", "made": "TIMESTAMP WITH TIME ZONE",
        "sold": "TIMESTAMP WITHOUT TIME ZONE", "opens": "TIME WITHOUT TIME ZONE", "lent": "INTERVAL",
        "scan": "BYTEA", "key": "UUID", "info": "JSONB", "plain": "JSON", "words": "TEXT[]",
        "grid": "INTEGER[]"} or "FLOAT" not in types["weight"], types
    assert got["id"]["identity"]["start"] == 10 and not got["id"]["identity"]["always"], got["id"]
    assert got["id"]["autoincrement"] and not got["id"]["nullable"]
    assert got["taxed"]["computed"] == {"sqltext": "(price * 1.2)", "persisted": True}, got["taxed"]
    assert got["title"]["default"] == "'untitled'::text" and not got["title"]["nullable"]
    assert got["price"]["default"] == "0" and got["made"]["default"] == "now()", got["price"]
    author = {c["name"]: c for c in i.get_columns("author")}
    assert author["id"]["default"] == "nextval('author_id_seq'::regclass)", author["id"]
    assert author["first"]["comment"] == "given name" and author["last"]["comment"] is None
    assert [c["name"] for c in i.get_columns("titles")] == ["title"]


@test
def constraints():
    i = sa.inspect(ENGINE)
    assert i.get_pk_constraint("book_tag") == {
        "constrained_columns": ["book_id", "tag_id"], "name": "book_tag_pkey"}
    assert i.get_foreign_keys("book", "shop") == [{
        "name": "book_author_id_fkey", "constrained_columns": ["author_id"], "referred_schema": None,
        "referred_table": "author", "referred_columns": ["id"],
        "options": {"ondelete": "CASCADE", "deferrable": True, "initially": "DEFERRED"}}], i.get_foreign_keys("book", "shop")
    assert sorted((f["referred_schema"] or "", f["referred_table"], tuple(f["options"].items()))
                  for f in i.get_foreign_keys("book_tag")) == [
        ("", "tag", ()), ("shop", "book", (("ondelete", "CASCADE"),))]
    assert i.get_unique_constraints("author") == [
        {"name": "author_name", "column_names": ["first", "last"]}], i.get_unique_constraints("author")
    assert i.get_check_constraints("author") == [
        {"name": "author_born", "sqltext": "born > '1000-01-01'::date"}], i.get_check_constraints("author")
    assert i.get_check_constraints("book", "shop")[0]["name"] == "book_kind"
    assert i.get_table_comment("author") == {"text": "who writes"}
    assert i.get_table_comment("tag") == {"text": None}


@test
def indexes():
    i = sa.inspect(ENGINE)
    found = {x["name"]: x for x in i.get_indexes("author")}
    assert set(found) == {"author_name", "ix_author_last"}, found
    assert found["author_name"]["unique"] and found["author_name"]["duplicates_constraint"] == "author_name"
    assert found["ix_author_last"]["column_names"] == ["last"] and not found["ix_author_last"]["unique"]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = {x["name"]: x for x in i.get_indexes("book", "shop")}
    assert any("expression-based index book_title_lower" in str(w.message) for w in said), said
    assert found["book_cheap"]["dialect_options"]["postgresql_where"] == "(price < (5)::numeric)", found
    assert found["book_when"]["column_names"] == ["made", "author_id"]
    assert found["book_when"]["column_sorting"] == {"made": ("desc",)}, found["book_when"]


@test
def reflected():
    """A copy of the schema from what reflection says, compared with it again."""
    one = sa.MetaData()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exc.SAWarning)  # that the index on an expression is passed over
        one.reflect(ENGINE)
    assert sorted(one.tables) == ["author", "book_tag", "shop.book", "tag"], sorted(one.tables)
    book = one.tables["shop.book"]
    assert [c.name for c in book.primary_key] == ["id"]
    assert next(iter(book.c.author_id.foreign_keys)).column is one.tables["author"].c.id
    with ENGINE.begin() as c:
        c.execute(sa.schema.CreateSchema("copy"))
    two = sa.MetaData()
    for name in ("author", "tag"):
        one.tables[name].to_metadata(two, schema="copy")
    for t in two.tables.values():
        for c in t.columns:
            if c.name == "id":
                c.server_default = None
    two.create_all(ENGINE)
    i = sa.inspect(ENGINE)
    for name in ("author", "tag"):
        mine = [(c["name"], str(c["type"]), c["nullable"]) for c in i.get_columns(name)]
        assert mine == [(c["name"], str(c["type"]), c["nullable"]) for c in i.get_columns(name, "copy")]
    assert i.get_unique_constraints("author", "copy")[0]["column_names"] == ["first", "last"]
    two.drop_all(ENGINE)
    assert sa.inspect(ENGINE).get_table_names("copy") == []


def a_book(**more):
    values = dict(title="Ulysses", kind=Kind.NOVEL, price=Decimal("12.50"), weight=1.25, light=0.5, pages=730,
                  out=True, sold=dt.datetime(2024, 2, 29, 23, 59, 59, 999999), opens=dt.time(9, 30),
                  lent=dt.timedelta(days=3, seconds=7), scan=b"\x00\xff", key=uuid.UUID(int=5),
                  info={"a": [1, 2.5, None], "b": {"c": "ü"}}, plain=[1, "x"], words=["a", "b c", None],
                  grid=[[1, 2], [3, 4]])
    values.update(more)
    return Book(**values)


@test
def round_trip():
    with session() as s:
        joyce = Author(first="James", last="Joyce", born=dt.date(1882, 2, 2))
        joyce.books = [a_book(), a_book(title="Dubliners", key=None, price=4, kind=None, info=None)]
        joyce.books[0].tags = [Tag(name="long"), Tag(name="good")]
        s.add(joyce)
        s.commit()
        assert joyce.books[0].id == 10 and joyce.id == 1 and {t.id for t in joyce.books[0].tags} == {5, 6}
    with session() as s:
        book = s.execute(sa.select(Book).where(Book.title == "Ulysses")).scalar_one()
        want = a_book()
        for c in Book.__table__.columns:
            if c.name not in ("id", "author_id", "taxed", "made"):
                assert getattr(book, c.name) == getattr(want, c.name), (c.name, getattr(book, c.name))
        assert book.taxed == Decimal("15.00") and book.made.tzinfo is not None
        assert book.author.last == "Joyce" and [t.name for t in book.tags] == ["good", "long"]
        assert s.query(Book).filter(Book.info["b"]["c"].astext == "ü").count() == 1
        assert s.query(Book).filter(Book.info.contains({"a": [2.5]})).count() == 1
        assert s.query(Book).filter(Book.words.any("b c")).count() == 2
        assert s.query(Book).filter(Book.words.contains(["a"])).count() == 2


@test
def queries():
    with session() as s:
        s.add_all([Author(first="A%d" % i, last="L%d" % (i % 3)) for i in range(20)])
        s.commit()
        rows = s.execute(sa.select(Author.last, sa.func.count().label("n")).where(Author.first.like("A%"))
                         .group_by(Author.last).order_by(sa.desc("n"), Author.last)).all()
        assert rows == [("L0", 7), ("L1", 7), ("L2", 6)], rows
        for load in (orm.joinedload, orm.selectinload, orm.subqueryload):
            joyce = s.query(Author).options(load(Author.books)).populate_existing().filter_by(last="Joyce").one()
            assert sorted(b.title for b in joyce.books) == ["Dubliners", "Ulysses"]
        rank = sa.func.row_number().over(partition_by=Author.last, order_by=Author.id.desc()).label("r")
        inner = sa.select(Author.last, Author.first, rank).subquery()
        rows = s.execute(sa.select(inner.c.first).where(inner.c.r == 1).order_by(inner.c.last)).scalars().all()
        assert rows == ["James", "A18", "A19", "A17"], rows
        chain = sa.select(sa.literal(1).label("n")).cte("chain", recursive=True)
        chain = chain.union_all(sa.select(chain.c.n + 1).where(chain.c.n < 5))
        assert s.execute(sa.select(sa.func.sum(chain.c.n))).scalar() == 15
        assert s.query(sa.exists().where(Author.last == "Joyce")).scalar() is True
        assert s.query(Author).order_by(Author.id).limit(3).offset(1).all()[0].first == "A0"
        assert s.execute(sa.select(sa.case((Author.born.is_(None), "no"), else_="yes")).where(Author.id == 1)
                         ).scalar() == "yes"
        assert s.execute(sa.select(sa.extract("year", Author.born)).where(Author.id == 1)).scalar() == 1882
        s.execute(sa.select(Author).with_for_update(skip_locked=True)).all()
        bulk = sa.update(Author).where(Author.last == "L0").values(last=Author.last + "!").returning(Author.id)
        assert len(s.execute(bulk.execution_options(synchronize_session=False)).all()) == 7
        assert s.query(Author).filter(Author.first.like("A%")).delete(synchronize_session=False) == 20
        s.commit()


@test
def upserts():
    with ENGINE.begin() as c:
        rows = [{"id": i, "name": "t%d" % i} for i in range(100, 130)]
        c.execute(sa.insert(Tag.__table__), rows)
        put = pg.insert(Tag.__table__).values(id=100, name="again")
        put = put.on_conflict_do_update(index_elements=["id"], set_={"name": put.excluded.name})
        assert c.execute(put.returning(Tag.__table__.c.name)).scalar() == "again"
        put = pg.insert(Tag.__table__).values(id=999, name="again").on_conflict_do_nothing(constraint="tag_name_key")
        assert c.execute(put).rowcount == 0
        assert c.execute(sa.delete(Tag.__table__).where(Tag.__table__.c.id >= 100)).rowcount == 30


@test
def transactions():
    with session() as s:
        s.add(Tag(name="kept"))
        try:
            with s.begin_nested():
                s.add(Tag(name="kept"))
                s.flush()
            raise AssertionError("no error")
        except exc.IntegrityError as e:
            assert e.orig.pgcode == "23505" and e.orig.diag.constraint_name == "tag_name_key", e.orig.pgcode
        s.commit()
        assert s.query(Tag).filter_by(name="kept").count() == 1
        try:
            s.execute(sa.insert(Book).values(author_id=987654, title="x"))
            s.commit()
            raise AssertionError("no error")
        except exc.IntegrityError as e:
            assert e.orig.pgcode == "23503", e.orig.pgcode
        s.rollback()
    for level in ("SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED", "AUTOCOMMIT"):
        with ENGINE.connect().execution_options(isolation_level=level) as c:
            assert c.get_isolation_level() == ("READ COMMITTED" if level == "AUTOCOMMIT" else level), level
            assert c.execute(sa.text("select count(*) from author")).scalar() == 1
    with ENGINE.connect() as c:
        if c.execute(sa.text("show max_prepared_transactions")).scalar() == "0":
            return
        two = c.begin_twophase("peer-1")
        c.execute(sa.insert(Tag.__table__).values(id=500, name="later"))
        two.prepare()
        two.commit()
        assert c.execute(sa.text("select name from tag where id = 500")).scalar() == "later"
        assert c.recover_twophase() == []
    with ENGINE.connect().execution_options(stream_results=True) as c:
        rows = c.execute(sa.text("select g from generate_series(1, 5000) g")).yield_per(700)
        assert sum(r[0] for r in rows) == 12502500


@test
def dropped():
    with session() as s:
        s.delete(s.query(Author).filter_by(last="Joyce").one())
        s.commit()
        assert s.query(Book).count() == 0 and s.execute(sa.select(book_tag)).all() == []
    with ENGINE.begin() as c:
        c.execute(sa.text("drop view titles"))
        c.execute(sa.text("drop materialized view counts"))
    Base.metadata.drop_all(ENGINE)
    i = sa.inspect(ENGINE)
    assert i.get_table_names() == [] and i.get_table_names("shop") == [] and i.get_sequence_names() == []


def main(argv):
    global ENGINE
    if not argv:
        print(__doc__)
        return 2
    try:
        with Peer(argv[0]) as p:
            ENGINE = sa.create_engine(sa.engine.URL.create("postgresql+psycopg2", p.user, None, p.host, p.port,
                                                           p.database))
            failed = run_tests(TESTS, argv[1:])
            ENGINE.dispose()
    except ServerError as e:
        print(e)
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
