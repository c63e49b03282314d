/* pgjdbc against a server: types in text and binary, transactions, errors, fetch sizes, batches, COPY,
 * cancel, metadata.
 *
 *     java -cp /usr/share/java/postgresql.jar TestJdbc.java HOST PORT [NAME ...]
 *
 * with_server.py starts a server and runs it. Any PostgreSQL 15 will do as well, which proves the test
 * right. The schema public is emptied first. */
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.time.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

public class TestJdbc {
    interface Test { void run(Connection c) throws Exception; }

    static String url;
    static final Map<String, Test> tests = new LinkedHashMap<>();

    static Connection connect(String... more) throws SQLException {
        Properties p = new Properties();
        p.setProperty("user", "postgres");
        p.setProperty("connectTimeout", "10");
        for (int i = 0; i < more.length; i += 2) p.setProperty(more[i], more[i + 1]);
        return DriverManager.getConnection(url, p);
    }

    static void check(boolean good, Object... words) {
        if (!good) throw new AssertionError(Arrays.toString(words));
    }

    static void same(Object got, Object want) {
        check(Objects.deepEquals(got, want), "got", got, "wanted", want);
    }

    static void run(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) { s.execute(sql); }
    }

    static Object one(Connection c, String sql, Object... args) throws SQLException {
        try (PreparedStatement s = c.prepareStatement(sql)) {
            for (int i = 0; i < args.length; i++) s.setObject(i + 1, args[i]);
            try (ResultSet r = s.executeQuery()) {
                check(r.next(), "no row", sql);
                Object o = r.getObject(1);
                check(!r.next(), "more than one row", sql);
                return o;
            }
        }
    }

    /** The error that a statement must raise. */
    static ServerErrorMessage fails(Connection c, String state, String sql, Object... args) {
        try {
            one(c, sql, args);
        } catch (SQLException e) {
            same(e.getSQLState(), state);
            return ((PSQLException) e).getServerErrorMessage();
        }
        throw new AssertionError("no error from " + sql);
    }

    static void connecting(Connection c) throws Exception {
        DatabaseMetaData m = c.getMetaData();
        same(m.getDatabaseProductName(), "PostgreSQL");
        same(m.getDatabaseMajorVersion(), 15);
        same(((PGConnection) c).getBackendPID(), one(c, "select pg_backend_pid()"));
        check(c.isValid(5));
        try (Connection d = connect("ApplicationName", "driver test", "options",
                                    "-c search_path=pg_catalog")) {
            same(one(d, "show application_name"), "driver test");
            same(one(d, "show search_path"), "pg_catalog");
        }
        String good = url;
        url = good.replace("/postgres", "/no_such_database");
        try (Connection d = connect()) {
            throw new AssertionError("connected");
        } catch (SQLException e) {
            same(e.getSQLState(), "3D000");
        } finally {
            url = good;
        }
    }

    static final Object[][] VALUES = {
        {"bool", true}, {"bool", false}, {"int4", Integer.MAX_VALUE}, {"int8", Long.MIN_VALUE},
        {"float4", 1.5f}, {"float8", 0.1}, {"float8", 1e308}, {"float8", Double.NEGATIVE_INFINITY},
        {"float8", Double.NaN}, {"numeric", new BigDecimal("123456789012345678901234567890.123456789")},
        {"numeric", new BigDecimal("-0.0001")}, {"numeric(6,2)", new BigDecimal("1.50")},
        {"text", ""}, {"text", "it's \\ \"q\"\n\t"}, {"text", "äöü 日本 😀"}, {"varchar(5)", "abcde"},
        {"char(5)", "ab   "}, {"uuid", UUID.fromString("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")},
        {"bytea", new byte[] {0, 1, (byte) 255, 92, 39}},
        {"date", LocalDate.of(2024, 2, 29)}, {"date", LocalDate.of(1, 1, 1)},
        {"time", LocalTime.of(23, 59, 59, 999999000)},
        {"timestamp", LocalDateTime.of(2024, 1, 2, 3, 4, 5, 6000)},
        {"timestamptz", OffsetDateTime.of(2024, 1, 2, 3, 4, 5, 0, ZoneOffset.UTC)},
    };

    /** As parameters and results, in text at first and in binary once the driver trusts the statement. */
    static void types(Connection c) throws Exception {
        run(c, "set timezone = 'UTC'");
        for (Object[] v : VALUES) {
            String type = (String) v[0];
            Object value = v[1];
            run(c, "drop table if exists ty; create table ty (v " + type + ")");
            try (PreparedStatement in = c.prepareStatement("insert into ty values (?)");
                 PreparedStatement out = c.prepareStatement(
                     "select v, cast(? as " + type + ") from ty where v is not null")) {
                for (int i = 0; i < 8; i++) {
                    in.setObject(1, value);
                    same(in.executeUpdate(), 1);
                    in.setObject(1, null);
                    same(in.executeUpdate(), 1);
                    out.setObject(1, value);
                    try (ResultSet r = out.executeQuery()) {
                        for (int row = 0; row <= i; row++) {
                            check(r.next());
                            for (int column = 1; column <= 2; column++)
                                same(value instanceof byte[] ? r.getBytes(column)
                                         : r.getObject(column, value.getClass()), value);
                        }
                        check(!r.next());
                    }
                }
            }
        }
        same(one(c, "select count(*) from ty where v is null"), 8L);
    }

    static void arrays(Connection c) throws Exception {
        Array in = c.createArrayOf("int4", new Object[] {1, null, 3});
        try (PreparedStatement s = c.prepareStatement("select ?::int4[], '{a,\"b c\",NULL}'::text[]")) {
            for (int i = 0; i < 8; i++) {
                s.setArray(1, in);
                try (ResultSet r = s.executeQuery()) {
                    check(r.next());
                    same(r.getArray(1).getArray(), new Integer[] {1, null, 3});
                    same(r.getArray(2).getArray(), new String[] {"a", "b c", null});
                }
            }
        }
        try (PreparedStatement s = c.prepareStatement("select count(*) from generate_series(1, 9) g"
                                                      + " where g = any (?)")) {
            s.setArray(1, in);
            try (ResultSet r = s.executeQuery()) {
                check(r.next());
                same(r.getLong(1), 2L);
            }
        }
        same(one(c, "select ?::regclass::text", "pg_class"), "pg_class");
        fails(c, "42P01", "select ?::regclass", "nosuch");
    }

    static void transactions(Connection c) throws Exception {
        run(c, "create table tx (id int primary key)");
        c.setAutoCommit(false);
        run(c, "insert into tx values (1)");
        c.rollback();
        same(one(c, "select count(*) from tx"), 0L);
        run(c, "insert into tx values (1)");
        Savepoint s = c.setSavepoint("before");
        fails(c, "23505", "insert into tx values (1) returning id");
        fails(c, "25P02", "select 1");
        c.rollback(s);
        run(c, "insert into tx values (2)");
        c.commit();
        same(one(c, "select count(*) from tx"), 2L);
        c.commit();
        c.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        same(one(c, "select count(*) from tx"), 2L);
        try (Connection other = connect()) {
            run(other, "insert into tx values (3)");
            run(other, "update tx set id = 20 where id = 2");
        }
        same(one(c, "select count(*) from tx"), 2L);
        fails(c, "40001", "update tx set id = 21 where id = 2 returning id");
        c.rollback();
        c.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        c.setReadOnly(true);
        fails(c, "25006", "delete from tx returning id");
        c.rollback();
        c.setReadOnly(false);
        c.setAutoCommit(true);
    }

    static void errors(Connection c) throws Exception {
        run(c, "create table er (id int primary key, n int not null constraint pos check (n > 0))");
        ServerErrorMessage e = fails(c, "42703", "select 'äö', nosuch");
        same(e.getPosition(), 14);
        same(e.getMessage(), "column \"nosuch\" does not exist");
        same(fails(c, "42601", "selec 1").getPosition(), 1);
        same(fails(c, "42P01", "select * from nosuch").getPosition(), 15);
        e = fails(c, "23514", "insert into er values (?, ?) returning id", 1, 0);
        same(e.getConstraint(), "pos");
        same(e.getTable(), "er");
        same(e.getSchema(), "public");
        same(e.getDetail(), "Failing row contains (1, 0).");
        e = fails(c, "23502", "insert into er values (1, null) returning id");
        same(e.getColumn(), "n");
        fails(c, "22012", "select 1 / ?", 0);
        fails(c, "22P02", "select ?::int4", "x");
        try (Statement s = c.createStatement()) {
            s.execute("create table if not exists er (a int)");
            SQLWarning w = s.getWarnings();
            check(w != null && w.getMessage().equals("relation \"er\" already exists, skipping"), w);
        }
    }

    /** Rows come by the fetch size: a result that has no end can be read from. */
    static void fetchSizes(Connection c) throws Exception {
        run(c, "create table fs as select g as id, 'row ' || g as v from generate_series(1, 20000) g");
        c.setAutoCommit(false);
        try (PreparedStatement s = c.prepareStatement("select id, v from fs order by id")) {
            for (int size : new int[] {1000, 7, 20000, 0, 10000}) {
                s.setFetchSize(size);
                long n = 0;
                try (ResultSet r = s.executeQuery()) {
                    while (r.next()) {
                        same(r.getInt(1), (int) ++n);
                        same(r.getString(2), "row " + n);
                        if (size == 7 && n == 100) break;
                    }
                }
                same(n, size == 7 ? 100L : 20000L);
            }
        }
        try (Statement s = c.createStatement(); Statement t = c.createStatement()) {
            s.setFetchSize(100);
            t.setFetchSize(50);
            try (ResultSet a = s.executeQuery("select generate_series(1, 4000000000)");
                 ResultSet b = t.executeQuery("select x.id from fs x, fs y, fs z")) {
                for (long i = 1; i <= 5000; i++) {
                    check(a.next() && b.next());
                    same(a.getLong(1), i);
                }
                s.setMaxRows(10);
            }
            s.setMaxRows(10);
            try (ResultSet a = s.executeQuery("select generate_series(1, 4000000000)")) {
                int n = 0;
                while (a.next()) n++;
                same(n, 10);
            }
        }
        c.commit();
        c.setAutoCommit(true);
    }

    static void batches(Connection c) throws Exception {
        run(c, "create table ba (id int generated by default as identity primary key, v text)");
        try (PreparedStatement s = c.prepareStatement("insert into ba (v) values (?)",
                                                      Statement.RETURN_GENERATED_KEYS)) {
            for (int i = 1; i <= 500; i++) {
                s.setString(1, "v" + i);
                s.addBatch();
            }
            int[] counts = s.executeBatch();
            same(counts.length, 500);
            for (int n : counts) same(n, 1);
            try (ResultSet keys = s.getGeneratedKeys()) {
                for (int i = 1; i <= 500; i++) {
                    check(keys.next());
                    same(keys.getInt(1), i);
                }
            }
        }
        try (Statement s = c.createStatement()) {
            s.addBatch("insert into ba (v) values ('x')");
            s.addBatch("insert into ba (id, v) values (1, 'twice')");
            s.addBatch("insert into ba (v) values ('y')");
            s.executeBatch();
            throw new AssertionError("no error");
        } catch (BatchUpdateException e) {
            same(e.getSQLState(), "23505");
        }
        same(one(c, "select count(*) from ba"), 500L);
        try (Connection d = connect("reWriteBatchedInserts", "true");
             PreparedStatement s = d.prepareStatement("insert into ba (v) values (?)")) {
            for (int i = 0; i < 300; i++) {
                s.setString(1, "w" + i);
                s.addBatch();
            }
            s.executeBatch();
        }
        same(one(c, "select count(*) from ba where v like 'w%'"), 300L);
    }

    static void copying(Connection c) throws Exception {
        run(c, "create table cp (id int primary key, name text)");
        CopyManager copy = ((PGConnection) c).getCopyAPI();
        StringBuilder rows = new StringBuilder();
        for (int i = 1; i <= 20000; i++) rows.append(i).append("\tname ").append(i).append('\n');
        same(copy.copyIn("copy cp from stdin", new StringReader(rows.toString())), 20000L);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        same(copy.copyOut("copy (select * from cp order by id) to stdout", out), 20000L);
        same(out.toString(StandardCharsets.UTF_8), rows.toString());
        try {
            copy.copyIn("copy cp from stdin", new StringReader("30000\tok\n1\ttwice\n"));
            throw new AssertionError("no error");
        } catch (SQLException e) {
            same(e.getSQLState(), "23505");
        }
        same(one(c, "select count(*) from cp"), 20000L);
    }

    static void cancelling(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            Timer timer = new Timer(true);
            timer.schedule(new TimerTask() {
                public void run() {
                    try {
                        s.cancel();
                    } catch (SQLException e) {
                        e.printStackTrace();
                    }
                }
            }, 300);
            s.execute("select pg_sleep(60)");
            throw new AssertionError("no error");
        } catch (SQLException e) {
            same(e.getSQLState(), "57014");
        }
        try (Statement s = c.createStatement()) {
            s.setQueryTimeout(1);
            s.execute("select pg_sleep(60)");
            throw new AssertionError("no error");
        } catch (SQLException e) {
            same(e.getSQLState(), "57014");
        }
        same(one(c, "select 'alive'"), "alive");
    }

    /** A statement outlives a change of its table; the server forgets and the driver tells it again. */
    static void prepared(Connection c) throws Exception {
        run(c, "create table pr (id int primary key, v text)");
        try (PreparedStatement s = c.prepareStatement("insert into pr values (?, ?)")) {
            ParameterMetaData p = s.getParameterMetaData();
            same(p.getParameterCount(), 2);
            same(p.getParameterTypeName(1), "int4");
            for (int i = 0; i < 20; i++) {
                if (i == 10) run(c, "alter table pr add column w int default 7");
                s.setInt(1, i);
                s.setString(2, "v" + i);
                same(s.executeUpdate(), 1);
            }
        }
        same(one(c, "select sum(w) from pr"), 140L);
        try (PreparedStatement s = c.prepareStatement("select * from pr where id = ?")) {
            ResultSetMetaData m = s.getMetaData();
            same(m.getColumnCount(), 3);
            same(m.getColumnName(2), "v");
            same(m.getColumnTypeName(3), "int4");
            same(m.isNullable(1), ResultSetMetaData.columnNoNulls);
        }
    }

    /** Has the server that feature? What it refuses cannot be asked for by the driver either. */
    static boolean has(Connection c, String sql) throws SQLException {
        try {
            run(c, sql);
            return true;
        } catch (SQLException e) {
            check(Set.of("0A000", "42883").contains(e.getSQLState()), e);
            return false;
        }
    }

    static List<String> names(ResultSet r, String column) throws SQLException {
        List<String> out = new ArrayList<>();
        while (r.next()) out.add(r.getString(column));
        r.close();
        return out;
    }

    static void metadata(Connection c) throws Exception {
        run(c, "create table parent (id int primary key, name varchar(20) not null default 'x')");
        run(c, "create table child (id int primary key, parent int)");
        boolean keys = has(c, "alter table child add foreign key (parent) references parent");
        run(c, "create unique index parent_name on parent (name)");
        run(c, "create view pv as select * from parent");
        DatabaseMetaData m = c.getMetaData();
        same(names(m.getTables(null, "public", "%", new String[] {"TABLE"}), "TABLE_NAME"),
             List.of("child", "parent"));
        same(names(m.getTables(null, "public", "%", new String[] {"VIEW"}), "TABLE_NAME"), List.of("pv"));
        if (has(c, "select row_number() over ()")) {
            same(names(m.getColumns(null, "public", "parent", "%"), "COLUMN_NAME"), List.of("id", "name"));
            same(names(m.getColumns(null, "public", "parent", "%"), "TYPE_NAME"),
                 List.of("int4", "varchar"));
        }
        if (has(c, "select (information_schema._pg_expandarray('{1}'::int2[])).n")) {
            same(names(m.getPrimaryKeys(null, "public", "parent"), "COLUMN_NAME"), List.of("id"));
            same(names(m.getIndexInfo(null, "public", "parent", true, false), "INDEX_NAME"),
                 List.of("parent_name", "parent_pkey"));
        }
        same(names(m.getImportedKeys(null, "public", "child"), "PKTABLE_NAME"),
             keys ? List.of("parent") : List.of());
        check(names(m.getSchemas(), "TABLE_SCHEM").contains("public"));
        check(names(m.getTypeInfo(), "TYPE_NAME").contains("timestamptz"));
    }

    public static void main(String[] args) throws Exception {
        tests.put("connecting", TestJdbc::connecting);
        tests.put("types", TestJdbc::types);
        tests.put("arrays", TestJdbc::arrays);
        tests.put("transactions", TestJdbc::transactions);
        tests.put("errors", TestJdbc::errors);
        tests.put("fetch sizes", TestJdbc::fetchSizes);
        tests.put("batches", TestJdbc::batches);
        tests.put("copying", TestJdbc::copying);
        tests.put("cancelling", TestJdbc::cancelling);
        tests.put("prepared", TestJdbc::prepared);
        tests.put("metadata", TestJdbc::metadata);
        url = "jdbc:postgresql://" + args[0] + ":" + args[1] + "/postgres";
        Set<String> wanted = new HashSet<>(Arrays.asList(args).subList(2, args.length));
        int failed = 0;
        for (Map.Entry<String, Test> t : tests.entrySet()) {
            if (!wanted.isEmpty() && !wanted.contains(t.getKey())) continue;
            try (Connection c = connect()) {
                run(c, "set client_min_messages = warning; drop schema if exists public cascade;"
                       + " create schema public; reset client_min_messages");
                t.getValue().run(c);
                System.out.println("ok   " + t.getKey());
            } catch (Throwable e) {
                failed++;
                System.out.println("FAIL " + t.getKey());
                e.printStackTrace(System.out);
            }
        }
        System.exit(failed == 0 ? 0 : 1);
    }
}
