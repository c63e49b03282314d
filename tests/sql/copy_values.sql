-- values that are read without the general road, and those just beyond it
create table plain (id int, n numeric(5, 2), m numeric, w numeric(18, 0), k numeric(3, -2), d date, c char(3), f char, v bpchar);
copy plain from stdin;
1	1	1	1	100	2024-02-29	a	x	b
2	-0	-0	-1	-149	2000-01-01	abc	y	 
3	999.99	0.000	999999999999999999	99949	1999-12-31		z	tail  
4	-999.99	-12345678.901	-999999999999999999	50	0001-01-01	äöü	ä	äö
5	.5	.5	1e3	1e2	9999-12-31	ab 	 	 
6	5.	5.	0	49	2000-12-31	ab     	x  	x  
7	0.005	123456789012345678	123456789012345678	0	20240301	a	b	c
8	00012.50	1234567890123456789	000000000000000000000001	-0	2024-1-1	a	b	c
9	 1.5	0.0000000000000000001	1	1	 2024-03-01 	a	b	c
10	+7.25	NaN	+1	7	1582-10-15	a	b	c
11	-0.00	123456789.123456789	1	1	1900-03-01	a	b	c
12	0.994	1.10	1	1	2100-02-28	a	b	c
\.
select id, n, m, w, k, d, d - date '2000-01-01' as days, '[' || c || ']' as c, octet_length(c), '[' || f || ']' as f, '[' || v || ']' as v from plain order by id;
copy plain (n) from stdin;
1000
\.
copy plain (n) from stdin;
999.995
\.
copy plain (n) from stdin;
1..2
\.
copy plain (m) from stdin;
-
\.
copy plain (m) from stdin;
.
\.
copy plain (w) from stdin;
1000000000000000000
\.
copy plain (d) from stdin;
2023-02-29
\.
copy plain (d) from stdin;
2023-00-10
\.
copy plain (d) from stdin;
2023-04-31
\.
copy plain (d) from stdin;
0000-04-30
\.
copy plain (d) from stdin;
2023-04-3x
\.
copy plain (c) from stdin;
abcd
\.
copy plain (c) from stdin;
äöüx
\.
drop table plain;
