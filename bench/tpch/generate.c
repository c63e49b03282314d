/* TPC-H's tables by the rules of the specification (4.2.3), as text for COPY (DELIMITER '|').
 *
 *     tpch_generate [--scale 1] [--seed 1] [--out DIR] [TABLE ...]
 *
 * Without --out it writes to standard output. Every row has a stream of random numbers of its own,
 * made of seed, table and row number: the same seed and scale give the same bytes, whichever tables
 * are asked for. Comments are pieces of one text of some megabytes. The rules are those of dbgen,
 * the random numbers are not: answers differ from the published ones. */
#include "words.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TEXT_SIZE = 12 << 20,
    BUFFER_SIZE = 1 << 20,
    LINE_MAX_BYTES = 4096, /* the longest order with its lines is half of it */
    DAYS = 2600,           /* from 1992-01-01 */
    ORDER_DAYS = 2405,     /* to 1998-08-02: the last line arrives in 1998 */
    TODAY = 1263,          /* 1995-06-17 */
    CENTS = 100,
};

enum table {
    REGION, NATION, PART, SUPPLIER, PARTSUPP, CUSTOMER, ORDERS, LINEITEM, TABLE_COUNT, TEXT_POOL
};

static const char *const table_names[TABLE_COUNT] = {"region",   "nation",   "part",   "supplier",
                                                     "partsupp", "customer", "orders", "lineitem"};

static struct {
    uint64_t seed;
    int64_t parts, suppliers, customers, orders, clerks;
    char *text;
    char days[DAYS][10];
} g;

/* --- output ----------------------------------------------------------------------------------- */

static struct {
    char *data, *at;
    int file;
} out;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void flush(void)
{
    for (char *p = out.data; p < out.at;) {
        ssize_t n = write(out.file, p, (size_t)(out.at - p));
        if (n < 0) die("tpch_generate: write");
        p += n;
    }
    out.at = out.data;
}

static void end_line(void)
{
    out.at[-1] = '\n'; /* in place of the last delimiter */
    if (out.at - out.data > BUFFER_SIZE - LINE_MAX_BYTES) flush();
}

static void put_bytes(const char *text, size_t length)
{
    memcpy(out.at, text, length);
    out.at += length;
}

static void put_digits(int64_t value, int width)
{
    char digits[20];
    int n = 0;
    for (; value || n < width; value /= 10) digits[n++] = (char)('0' + value % 10);
    while (n) *out.at++ = digits[--n];
}

static void put_int(int64_t value)
{
    put_digits(value, 1);
    *out.at++ = '|';
}

static void put_cents(int64_t value)
{
    if (value < 0) *out.at++ = '-';
    if (value < 0) value = -value;
    put_digits(value / CENTS, 1);
    *out.at++ = '.';
    put_digits(value % CENTS, 2);
    *out.at++ = '|';
}

static void put_string(const char *text)
{
    put_bytes(text, strlen(text));
    *out.at++ = '|';
}

static void put_numbered(const char *name, int64_t number)
{
    put_bytes(name, strlen(name));
    put_digits(number, 9);
    *out.at++ = '|';
}

static void put_date(int64_t day)
{
    put_bytes(g.days[day], sizeof g.days[day]);
    *out.at++ = '|';
}

/* Returns where it begins. */
static char *put_comment(struct stream *s, int low, int high)
{
    int64_t length = stream_pick(s, low, high);
    char *begin = out.at;
    put_bytes(g.text + stream_pick(s, 0, TEXT_SIZE - length), (size_t)length);
    *out.at++ = '|';
    return begin;
}

static void put_address(struct stream *s)
{
    static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ,";
    int64_t length = stream_pick(s, 10, 40);
    uint64_t bits = 0;
    for (int64_t i = 0; i < length; i++, bits >>= 6) {
        if (i % 10 == 0) bits = stream_next(s) >> 4;
        *out.at++ = letters[bits & 63];
    }
    *out.at++ = '|';
}

static void put_phone(struct stream *s, int64_t nation)
{
    put_digits(nation + 10, 2);
    for (int i = 0; i < 2; i++) {
        *out.at++ = '-';
        put_digits(stream_pick(s, 100, 999), 3);
    }
    *out.at++ = '-';
    put_digits(stream_pick(s, 1000, 9999), 4);
    *out.at++ = '|';
}

#define COUNT_OF(list) ((int64_t)(sizeof list / sizeof *list))
#define PUT_ONE_OF(s, list) put_string(list[stream_pick(s, 0, COUNT_OF(list) - 1)])

/* --- small tables ----------------------------------------------------------------------------- */

static void make_region(void)
{
    for (int i = 0; i < REGION_COUNT; i++) {
        struct stream s = stream_of(g.seed, REGION, (uint64_t)i);
        put_int(i);
        put_string(regions[i]);
        put_comment(&s, 31, 115);
        end_line();
    }
}

static void make_nation(void)
{
    for (int i = 0; i < NATION_COUNT; i++) {
        struct stream s = stream_of(g.seed, NATION, (uint64_t)i);
        put_int(i);
        put_string(nations[i].name);
        put_int(nations[i].region);
        put_comment(&s, 31, 114);
        end_line();
    }
}

/* "Customer", some of the text, then what the customers did. */
static void put_opinion(struct stream *s, char *comment, const char *what)
{
    int64_t length = out.at - 1 - comment, word = (int64_t)strlen(what);
    int64_t at = stream_pick(s, 0, length - word - 9);
    memcpy(comment + at, "Customer ", 9);
    memcpy(comment + stream_pick(s, at + 9, length - word), what, (size_t)word);
}

static void make_supplier(void)
{
    enum { BLOCK = 2000 }; /* suppliers: one is complained of, one is recommended */
    int64_t bad = 0, good = 0;
    for (int64_t i = 0; i < g.suppliers; i++) {
        struct stream s = stream_of(g.seed, SUPPLIER, (uint64_t)i);
        if (i % BLOCK == 0) {
            int64_t count = g.suppliers - i < BLOCK ? g.suppliers - i : BLOCK;
            struct stream of_block = stream_of(g.seed, TEXT_POOL, (uint64_t)i + 1);
            bad = i + stream_pick(&of_block, 0, count - 1);
            good = i + (bad - i + stream_pick(&of_block, 1, count - 1)) % count;
        }
        int64_t nation = stream_pick(&s, 0, NATION_COUNT - 1);
        put_int(i + 1);
        put_numbered("Supplier#", i + 1);
        put_address(&s);
        put_int(nation);
        put_phone(&s, nation);
        put_cents(stream_pick(&s, -99999, 999999));
        char *comment = put_comment(&s, 25, 100);
        if (i == bad) put_opinion(&s, comment, "Complaints");
        if (i == good) put_opinion(&s, comment, "Recommends");
        end_line();
    }
}

static int64_t price_of(int64_t part)
{
    return 90000 + part / 10 % 20001 + 100 * (part % 1000);
}

static void put_part_name(struct stream *s)
{
    int64_t chosen[5];
    for (int n = 0; n < 5;) {
        int64_t color = stream_pick(s, 0, COLOR_COUNT - 1);
        int k = 0;
        while (k < n && chosen[k] != color) k++;
        if (k < n) continue;
        chosen[n++] = color;
        put_bytes(colors[color], strlen(colors[color]));
        *out.at++ = ' ';
    }
    out.at[-1] = '|';
}

static void make_part(void)
{
    static const char *const sizes[] = {"STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"};
    static const char *const finishes[] = {"ANODIZED", "BURNISHED", "PLATED", "POLISHED",
                                           "BRUSHED"};
    static const char *const metals[] = {"TIN", "NICKEL", "BRASS", "STEEL", "COPPER"};
    static const char *const volumes[] = {"SM", "LG", "MED", "JUMBO", "WRAP"};
    static const char *const boxes[] = {"CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM"};
    for (int64_t i = 1; i <= g.parts; i++) {
        struct stream s = stream_of(g.seed, PART, (uint64_t)i);
        int64_t maker = stream_pick(&s, 1, 5);
        put_int(i);
        put_part_name(&s);
        put_bytes("Manufacturer#", 13);
        put_int(maker);
        put_bytes("Brand#", 6);
        put_int(maker * 10 + stream_pick(&s, 1, 5));
        PUT_ONE_OF(&s, sizes);
        out.at[-1] = ' ';
        PUT_ONE_OF(&s, finishes);
        out.at[-1] = ' ';
        PUT_ONE_OF(&s, metals);
        put_int(stream_pick(&s, 1, 50));
        PUT_ONE_OF(&s, volumes);
        out.at[-1] = ' ';
        PUT_ONE_OF(&s, boxes);
        put_cents(price_of(i));
        put_comment(&s, 5, 22);
        end_line();
    }
}

/* The specification's rule. Below scale 0.024 its last term is cut, or a part would have a supplier
 * twice. */
static int64_t supplier_of(int64_t part, int64_t n)
{
    int64_t room = g.suppliers / 12 > 1 ? g.suppliers / 12 : 1;
    int64_t step = g.suppliers / 4 + (part - 1) / g.suppliers % room;
    return (part + n * step) % g.suppliers + 1;
}

static void make_partsupp(void)
{
    for (int64_t i = 1; i <= g.parts; i++) {
        struct stream s = stream_of(g.seed, PARTSUPP, (uint64_t)i);
        for (int n = 0; n < 4; n++) {
            put_int(i);
            put_int(supplier_of(i, n));
            put_int(stream_pick(&s, 1, 9999));
            put_cents(stream_pick(&s, 100, 100000));
            put_comment(&s, 49, 198);
            end_line();
        }
    }
}

static void make_customer(void)
{
    static const char *const segments[] = {"AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY",
                                           "HOUSEHOLD"};
    for (int64_t i = 1; i <= g.customers; i++) {
        struct stream s = stream_of(g.seed, CUSTOMER, (uint64_t)i);
        int64_t nation = stream_pick(&s, 0, NATION_COUNT - 1);
        put_int(i);
        put_numbered("Customer#", i);
        put_address(&s);
        put_int(nation);
        put_phone(&s, nation);
        put_cents(stream_pick(&s, -99999, 999999));
        PUT_ONE_OF(&s, segments);
        put_comment(&s, 29, 116);
        end_line();
    }
}

/* --- orders and their lines: made together, as its price and status are theirs ---------------- */

struct line {
    int64_t part, supplier, quantity, price, discount, tax, shipped, committed, received;
};

struct order {
    int64_t key, customer, day, price;
    int line_count, open_count;
    struct line lines[7];
    struct stream of_lines; /* where the texts of the lines go on */
};

static void make_line(struct stream *s, struct order *o, struct line *l)
{
    l->part = stream_pick(s, 1, g.parts);
    l->supplier = supplier_of(l->part, stream_pick(s, 0, 3));
    l->quantity = stream_pick(s, 1, 50);
    l->price = l->quantity * price_of(l->part);
    l->discount = stream_pick(s, 0, 10);
    l->tax = stream_pick(s, 0, 8);
    l->shipped = o->day + stream_pick(s, 1, 121);
    l->committed = o->day + stream_pick(s, 30, 90);
    l->received = l->shipped + stream_pick(s, 1, 30);
    o->open_count += l->shipped > TODAY;
    o->price += (l->price * (CENTS - l->discount) / CENTS) * (CENTS + l->tax) / CENTS;
}

/* Of 32 keys the first 8 are used; a third of the customers never orders. */
static struct order make_order(int64_t i)
{
    struct order o = {.key = (i / 8) * 32 + i % 8 + 1};
    o.of_lines = stream_of(g.seed, LINEITEM, (uint64_t)i);
    int64_t n = stream_pick(&o.of_lines, 0, g.customers - g.customers / 3 - 1);
    o.customer = n / 2 * 3 + n % 2 + 1;
    o.day = stream_pick(&o.of_lines, 0, ORDER_DAYS);
    o.line_count = (int)stream_pick(&o.of_lines, 1, 7);
    for (int k = 0; k < o.line_count; k++) make_line(&o.of_lines, &o, &o.lines[k]);
    return o;
}

static void make_orders(void)
{
    static const char *const priorities[] = {"1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED",
                                             "5-LOW"};
    for (int64_t i = 0; i < g.orders; i++) {
        struct order o = make_order(i);
        struct stream s = stream_of(g.seed, ORDERS, (uint64_t)i);
        put_int(o.key);
        put_int(o.customer);
        put_string(!o.open_count ? "F" : o.open_count == o.line_count ? "O" : "P");
        put_cents(o.price);
        put_date(o.day);
        PUT_ONE_OF(&s, priorities);
        put_numbered("Clerk#", stream_pick(&s, 1, g.clerks));
        put_int(0);
        put_comment(&s, 19, 78);
        end_line();
    }
}

static void make_lineitem(void)
{
    static const char *const instructions[] = {"DELIVER IN PERSON", "COLLECT COD", "NONE",
                                               "TAKE BACK RETURN"};
    static const char *const modes[] = {"REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"};
    for (int64_t i = 0; i < g.orders; i++) {
        struct order o = make_order(i);
        for (int k = 0; k < o.line_count; k++) {
            const struct line *l = &o.lines[k];
            put_int(o.key);
            put_int(l->part);
            put_int(l->supplier);
            put_int(k + 1);
            put_int(l->quantity);
            put_cents(l->price);
            put_cents(l->discount);
            put_cents(l->tax);
            put_string(l->received > TODAY ? "N" : stream_next(&o.of_lines) & 1 ? "R" : "A");
            put_string(l->shipped > TODAY ? "O" : "F");
            put_date(l->shipped);
            put_date(l->committed);
            put_date(l->received);
            PUT_ONE_OF(&o.of_lines, instructions);
            PUT_ONE_OF(&o.of_lines, modes);
            put_comment(&o.of_lines, 10, 43);
            end_line();
        }
    }
}

/* --- the program ------------------------------------------------------------------------------ */

static void (*const makers[TABLE_COUNT])(void) = {make_region,   make_nation,   make_part,
                                                  make_supplier, make_partsupp, make_customer,
                                                  make_orders,   make_lineitem};

static void make_days(void)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = 1992, month = 0, day = 1;
    for (int i = 0; i < DAYS; i++) {
        char text[48];
        (void)snprintf(text, sizeof text, "%04d-%02d-%02d", year, month + 1, day);
        memcpy(g.days[i], text, sizeof g.days[i]);
        if (++day <= lengths[month] + (month == 1 && year % 4 == 0)) continue;
        day = 1;
        year += ++month == 12;
        month %= 12;
    }
}

static void prepare(double scale)
{
    g.suppliers = (int64_t)(scale * 10000 + 0.5);
    g.parts = (int64_t)(scale * 200000 + 0.5);
    g.customers = (int64_t)(scale * 150000 + 0.5);
    g.orders = g.customers * 10;
    g.clerks = scale < 1 ? (int64_t)(scale * 1000 + 0.999) : (int64_t)(scale * 1000);
    make_days();
    g.text = malloc(TEXT_SIZE);
    out.data = out.at = malloc(BUFFER_SIZE);
    if (!g.text || !out.data) die("tpch_generate: memory");
    struct stream s = stream_of(g.seed, TEXT_POOL, 0);
    make_text(&s, g.text, TEXT_SIZE);
}

static int usage(void)
{
    fputs("usage: tpch_generate [--scale 0.001 to 1000] [--seed N] [--out DIR] [TABLE ...]\n",
          stderr);
    return 2;
}

static void run(enum table t, const char *directory)
{
    char path[4096];
    out.file = STDOUT_FILENO;
    if (directory) {
        (void)snprintf(path, sizeof path, "%s/%s.tbl", directory, table_names[t]);
        out.file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (out.file < 0) die(path);
    }
    makers[t]();
    flush();
    if (directory && close(out.file)) die(path);
}

int main(int argc, char **argv)
{
    const char *directory = NULL;
    double scale = 1;
    bool asked[TABLE_COUNT] = {false}, any = false;
    g.seed = 1;
    for (int i = 1; i < argc; i++) {
        int t = 0;
        if (!strcmp(argv[i], "--scale") && i + 1 < argc) scale = strtod(argv[++i], NULL);
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc) g.seed = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--out") && i + 1 < argc) directory = argv[++i];
        else {
            while (t < TABLE_COUNT && strcmp(argv[i], table_names[t])) t++;
            if (t == TABLE_COUNT) return usage();
            asked[t] = any = true;
        }
    }
    if (!(scale >= 0.001 && scale <= 1000)) return usage();
    prepare(scale);
    for (int t = 0; t < TABLE_COUNT; t++)
        if (!any || asked[t]) run((enum table)t, directory);
    return 0;
}
