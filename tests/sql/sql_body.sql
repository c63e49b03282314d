-- Bodies of functions that are no strings: RETURN, BEGIN ATOMIC.
CREATE TABLE item (id int PRIMARY KEY, price numeric, note text);
INSERT INTO item VALUES (1, 2.50, 'one'), (2, 10, 'two');
CREATE FUNCTION twice(a int) RETURNS int RETURN a * 2;
SELECT twice(21), twice(NULL);
CREATE FUNCTION add(a int, b int DEFAULT 5) RETURNS int IMMUTABLE STRICT LANGUAGE sql RETURN a + b;
SELECT add(1), add(1, 2), add(NULL, 2);
CREATE OR REPLACE FUNCTION add(a int, b int DEFAULT 5) RETURNS int IMMUTABLE LANGUAGE sql RETURN CASE WHEN a IS NULL THEN b ELSE a + b END;
SELECT add(NULL, 2), add(3);
CREATE FUNCTION words(n int) RETURNS text RETURN 'return; begin atomic ' || n || ' end'; -- a comment; end
SELECT words(3);
CREATE FUNCTION as_text() RETURNS text RETURN 1;
SELECT as_text() || '!';
CREATE FUNCTION price_of(i int) RETURNS numeric STABLE BEGIN ATOMIC SELECT price FROM item WHERE id = i; END;
SELECT price_of(2), price_of(7);
CREATE FUNCTION dear(bound numeric) RETURNS SETOF item BEGIN ATOMIC
  SELECT * FROM item WHERE price >= bound ORDER BY id; /* all; of them */
END;
SELECT * FROM dear(1);
CREATE FUNCTION cheap() RETURNS TABLE (i int, t text) BEGIN ATOMIC SELECT id, CASE WHEN price < 5 THEN 'cheap' ELSE 'dear' END FROM item ORDER BY 1; END;
SELECT * FROM cheap();
CREATE FUNCTION raise_all(by numeric) RETURNS bigint BEGIN ATOMIC
  UPDATE item SET price = price + by;
  INSERT INTO item VALUES (3, by, 'return');
  DELETE FROM item WHERE id = 1;
  SELECT count(*) FROM item;
END;
SELECT raise_all(1);
SELECT * FROM item ORDER BY id;
CREATE FUNCTION last_value_of() RETURNS int BEGIN ATOMIC SELECT 1; RETURN 2; END;
SELECT last_value_of();
CREATE FUNCTION nothing() RETURNS void BEGIN ATOMIC END;
SELECT nothing() IS NULL;
CREATE PROCEDURE put(i int, p numeric) BEGIN ATOMIC INSERT INTO item VALUES (i, p); INSERT INTO item VALUES (i + 1, p); END;
CALL put(10, 7.5);
SELECT id, price FROM item WHERE id >= 10 ORDER BY id;
CREATE FUNCTION "return"(a int) RETURNS int RETURN a;
SELECT "return"(4);
CREATE FUNCTION has_default(a int DEFAULT (1 + 2), b text[] DEFAULT ARRAY['x']) RETURNS text RETURN a || b[1];
SELECT has_default(), has_default(4, ARRAY['y']);
CREATE FUNCTION p() RETURNS int LANGUAGE plpgsql RETURN 1;
CREATE FUNCTION p() RETURNS int AS 'SELECT 1' RETURN 1;
CREATE FUNCTION p() RETURNS int BEGIN ATOMIC SELECT 'a', 'b'; END;
CREATE FUNCTION p() RETURNS int BEGIN ATOMIC END;
SELECT proname, prolang::regproc IS NOT NULL, pronargs FROM pg_proc WHERE proname IN ('twice', 'dear') ORDER BY 1;
DROP PROCEDURE put;
DROP FUNCTION twice, add, words, as_text, price_of, dear, cheap, raise_all, last_value_of, nothing, "return", has_default;
DROP TABLE item;
