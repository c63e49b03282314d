/* One wide table of a web counter's hits, like ClickBench's: 105 columns, most of them nearly empty
 * or the same for all hits of a user, a few with many values. As text for COPY, or its schema.
 *
 *     clickbench_generate [--rows 5000000] [--seed 1] [--schema]
 *
 * Users, sites, pages and phrases are chosen log-uniformly: the k-th comes about 1/k as often as
 * the first, as with Zipf. What belongs to a user (screen, browser, region) follows from its
 * number, so that columns go together as they do in life. Hits come in the order of their time. The same rows
 * and seed give the same bytes. What the queries ask for by value is there: see `enum probe`. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_BYTES = 8192,
    DAYS = 31,
    SITES = 6000,
    PAGES = 40000, /* of a site */
    DAY_SECONDS = 86400,
    ALL_SECONDS = DAYS * DAY_SECONDS,
};

/* The values in the queries: a site, a user, and two pages of that site. */
enum probe { PROBE_SITE = 62, PROBE_USER = 300, PROBE_URL = 3, PROBE_REFERER = 1 };
static const uint64_t probe_user = 435090932899640449u, probe_url_hash = 2868770270353813622u,
                      probe_referer_hash = 3594120000172545465u;

/* --- random numbers -------------------------------------------------------------------------- */

static uint64_t seed = 1;
static int64_t rows = 5000000;

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t mix2(uint64_t a, uint64_t b)
{
    return mix(mix(a) ^ b);
}

struct stream {
    uint64_t state;
};

static uint64_t next(struct stream *s)
{
    return mix(s->state++);
}

static uint64_t below(struct stream *s, uint64_t n)
{
    return next(s) % n;
}

static bool percent(struct stream *s, double p)
{
    return (double)below(s, 1000000) < p * 10000;
}

/* From 1 to n, k about 1/k as often as 1. */
static uint64_t skewed(struct stream *s, uint64_t n)
{
    double u = (double)(next(s) >> 11) / (double)(1ull << 53);
    return (uint64_t)exp(u * log((double)n + 1));
}

/* --- output ---------------------------------------------------------------------------------- */

static char line[LINE_BYTES], *at;

static void put_bytes(const char *text)
{
    size_t n = strlen(text);
    memcpy(at, text, n);
    at += n;
}

static void put_number(int64_t v)
{
    char digits[24];
    int n = 0;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    if (v < 0) *at++ = '-';
    do digits[n++] = (char)('0' + u % 10);
    while (u /= 10);
    while (n) *at++ = digits[--n];
}

static void put_two(int v)
{
    *at++ = (char)('0' + v / 10);
    *at++ = (char)('0' + v % 10);
}

/* July 2013 has as many days as there are. */
static void put_day(int64_t seconds)
{
    put_bytes("2013-07-");
    put_two((int)(seconds / DAY_SECONDS) + 1);
}

static void put_time(int64_t seconds)
{
    put_day(seconds);
    *at++ = ' ';
    put_two((int)(seconds % DAY_SECONDS / 3600));
    *at++ = ':';
    put_two((int)(seconds % 3600 / 60));
    *at++ = ':';
    put_two((int)(seconds % 60));
}

/* A word that its number decides: Latin letters, or Cyrillic ones, two bytes each. */
static void put_word(uint64_t number, bool cyrillic)
{
    static const char *const latin[] = {"ka",  "ro", "mi", "ne",  "st", "la", "vo",
                                        "di",  "pe", "sho", "ter", "a",  "on", "gra",
                                        "ve",  "lu", "bo", "ri",  "ma", "zi"};
    static const char *const other[] = {"ка",  "ро", "ми", "не",  "ст", "ла", "во",
                                        "ди",  "пе", "шо", "тер", "а",  "он", "гра",
                                        "ве",  "лу", "бо", "ри",  "ма", "зи"};
    uint64_t h = mix2(number, 77);
    for (uint64_t n = 2 + h % 3; n; n--, h = mix(h)) {
        const char *const *list = cyrillic ? other : latin;
        put_bytes(list[(h >> 8) % 20]);
    }
}

/* --- what a hit is about --------------------------------------------------------------------- */

struct hit {
    struct stream s;
    int64_t number, seconds;
    uint64_t site, page, user;       /* page: 0 is the site's first */
    uint64_t from_site, from_page;   /* the referer's; from_site 0: none */
    uint64_t phrase;                 /* 0: none */
    uint64_t engine, campaign;       /* 0: none */
    uint64_t variant;                /* of the page's address; 0: none */
    uint64_t who;                    /* decides all that belongs to the user */
    bool mobile, refresh, flash;
};

static struct hit begin_hit(int64_t number)
{
    struct hit h = {.s = {mix2(seed, (uint64_t)number)}, .number = number};
    struct stream *s = &h.s;
    h.seconds = (int64_t)((double)number / (double)rows * ALL_SECONDS);
    h.seconds = (h.seconds + (int64_t)below(s, 600)) % ALL_SECONDS;
    h.site = skewed(s, SITES);
    h.page = skewed(s, PAGES) - 1;
    h.user = skewed(s, (uint64_t)rows / 4 + 1);
    h.who = mix2(seed, h.user);
    h.variant = percent(s, 12) ? below(s, 1u << 31) + 1 : 0;
    h.from_site = percent(s, 81) ? percent(s, 55) ? h.site : skewed(s, SITES) : 0;
    h.from_page = skewed(s, PAGES) - 1;
    h.phrase = percent(s, 13) ? skewed(s, (uint64_t)rows / 12 + 1) : 0;
    h.engine = h.phrase ? skewed(s, 60) : 0;
    h.campaign = percent(s, 0.7) ? skewed(s, 18) + 1 : 0;
    h.mobile = h.who % 100 < 6;
    h.refresh = percent(s, 11);
    h.flash = percent(s, 70);
    return h;
}

static void put_site(uint64_t site)
{
    if (site % 900 == 700) put_bytes("images.google.");
    else put_word(site, false), *at++ = '-', put_word(site + 100000, false), *at++ = '.';
    put_bytes(site % 3 ? "ru" : "com");
}

static void put_url(uint64_t site, uint64_t page, uint64_t variant)
{
    uint64_t h = mix2(site, page);
    put_bytes(site % 7 ? "http://" : "https://www.");
    put_site(site);
    *at++ = '/';
    if (!page) return;
    put_word(h % 500, false);
    *at++ = '/';
    put_word(h >> 20, false);
    put_bytes(h % 4 ? ".html" : "/");
    if (h % 5 == 0) {
        put_bytes("?category=");
        put_number((int64_t)(h % 977));
        put_bytes("&text=");
        put_word(h >> 8, false);
        if (h % 5000 == 0) put_bytes("&from=google");
    }
    if (!variant) return;
    put_bytes(h % 5 == 0 ? "&sid=" : "?sid=");
    put_number((int64_t)variant);
}

static void put_title(const struct hit *h)
{
    uint64_t t = mix2(h->site, h->page / 3);
    if (t % 8 == 0) return;
    for (uint64_t i = 0; i < 3 + t % 6; i++) {
        if (i) *at++ = ' ';
        put_word(mix2(t, i) % 20000, h->site % 4 != 0);
    }
    if (t % 600 == 1) put_bytes(" - Google");
    put_bytes(h->site % 2 ? " — новости" : " | shop");
}

static void put_phrase(uint64_t phrase)
{
    if (!phrase) return;
    for (uint64_t i = 0; i < 1 + phrase % 5; i++) {
        if (i) *at++ = ' ';
        put_word(mix2(phrase, i) % 9000, phrase % 3 != 0);
    }
}

static void put_url_hash(uint64_t site, uint64_t page, uint64_t variant)
{
    uint64_t hash = mix(mix2(site, page) + variant) >> 1;
    if (site == PROBE_SITE && page == PROBE_URL) hash = probe_url_hash;
    if (site == PROBE_SITE && page == PROBE_REFERER) hash = probe_referer_hash;
    put_number(site ? (int64_t)hash : -296158784638538920);
}

/* --- columns --------------------------------------------------------------------------------- */

/* How a column's values come about. `a` and `b` are its numbers. */
enum source {
    OF_HIT,      /* by the function */
    ALWAYS,      /* a */
    SOMETIMES,   /* in a percent: one of b, skewed; else 0 */
    OF_USER,     /* one of b, the same for all hits of a user, skewed; a is added */
    TEXT_SOME,   /* in a percent: one of b words, skewed; else empty */
};

struct column {
    const char *name, *type;
    enum source source;
    double a;
    uint64_t b;
    void (*put)(struct hit *h);
};

static uint64_t trait(const struct hit *h, const char *name, uint64_t n)
{
    struct stream s = {mix2(h->who, (uint64_t)(unsigned char)name[0] * 256 + strlen(name))};
    return skewed(&s, n);
}

static const int *screen(const struct hit *h)
{
    static const int list[][2] = {{1366, 768}, {1920, 1080}, {1280, 1024}, {1024, 768}, {1440, 900},
                                  {1600, 900}, {800, 600},   {320, 480},   {768, 1024}, {0, 0}};
    return list[trait(h, "width", 10) - 1];
}

static const char *const minors[] = {"0", "00", "D", "1b", "53"},
                  *const languages[] = {"ru", "en", "uk", "S0", "tr"},
                  *const countries[] = {"RU", "UA", "KZ", "BY", "TR"};

#define FIELD(name, code)                                                                          \
    static void field_##name(struct hit *h) { code; }

FIELD(watch, put_number((int64_t)(mix2(seed + 5, (uint64_t)h->number) >> 1)))
FIELD(title_of, put_title(h))
FIELD(event_time, put_time(h->seconds))
FIELD(event_date, put_day(h->seconds))
FIELD(counter, put_number((int64_t)h->site))
FIELD(client_ip, uint64_t other = percent(&h->s, 8) ? next(&h->s) : 0;
      put_number((int32_t)(h->who >> 16 ^ other)))
FIELD(user, put_number(h->user == PROBE_USER ? (int64_t)probe_user : (int64_t)(h->who >> 2)))
FIELD(url, put_url(h->site, h->page, h->variant))
FIELD(referer, if (h->from_site) put_url(h->from_site, h->from_page, 0))
FIELD(refresh, put_number(h->refresh))
FIELD(width, put_number(screen(h)[0] + (h->who % 97 ? 0 : (int64_t)(h->who % 311))))
FIELD(height, put_number(screen(h)[1]))
FIELD(client_width, put_number(1904 - (int64_t)skewed(&h->s, 1900)))
FIELD(client_height, put_number(1070 - (int64_t)skewed(&h->s, 1060)))
FIELD(flash, put_number(h->flash ? 11 : 0))
FIELD(flash_minor, if (h->flash) put_number((int64_t)trait(h, "flash", 900)))
FIELD(agent_minor, put_bytes(minors[trait(h, "agent", 5) - 1]))
FIELD(is_mobile, put_number(h->mobile))
FIELD(mobile, put_number(h->mobile ? (int64_t)trait(h, "mobile", 70) : 0))
FIELD(model, if (h->mobile) put_word(trait(h, "model", 160), false))
FIELD(traffic, put_number(h->phrase ? 2 : h->from_site == h->site ? -1 : h->from_site ? 1
                                                                    : (int64_t)below(&h->s, 8)))
FIELD(engine, put_number((int64_t)h->engine))
FIELD(phrase_of, put_phrase(h->phrase))
FIELD(campaign, put_number((int64_t)h->campaign))
FIELD(client_time, put_time((h->seconds + (int64_t)skewed(&h->s, 40000)) % ALL_SECONDS))
FIELD(local_time, put_time((h->seconds + (int64_t)(h->who % 5) * 3600) % ALL_SECONDS))
FIELD(charset, put_bytes(h->site % 5 ? "utf-8" : "windows-1251"))
FIELD(unique, put_number((int64_t)(mix(h->who) >> 1)))
FIELD(original, if (percent(&h->s, 4)) put_url(h->site, h->page, h->variant))
FIELD(hid, put_number((int64_t)(int32_t)next(&h->s)))
FIELD(color, *at++ = "5DYFg"[skewed(&h->s, 5) - 1])
FIELD(language, put_bytes(languages[trait(h, "language", 5) - 1]))
FIELD(country, put_bytes(countries[trait(h, "country", 5) - 1]))
FIELD(order, if (percent(&h->s, 0.1)) put_number((int64_t)below(&h->s, 100000)))
FIELD(currency, put_bytes(h->number % 997 ? "NH" : "RUB"))
FIELD(referer_hash, put_url_hash(h->from_site, h->from_page, 0))
FIELD(url_hash, put_url_hash(h->site, h->page, h->variant))

#define I2 "smallint"
#define I4 "integer"
#define I8 "bigint"
#define HIT(name, type, put) {name, type, OF_HIT, 0, 0, field_##put}

static const struct column columns[] = {
    HIT("watch_id", I8, watch),
    {"java_enable", I2, OF_USER, -1, 2, NULL},
    HIT("title", "text", title_of),
    {"good_event", I2, ALWAYS, 1, 0, NULL},
    HIT("event_time", "timestamp", event_time),
    HIT("event_date", "date", event_date),
    HIT("counter_id", I4, counter),
    HIT("client_ip", I4, client_ip),
    {"region_id", I4, OF_USER, 0, 9000, NULL},
    HIT("user_id", I8, user),
    {"counter_class", I2, SOMETIMES, 30, 2, NULL},
    {"os", I2, OF_USER, 0, 90, NULL},
    {"user_agent", I2, OF_USER, 0, 80, NULL},
    HIT("url", "text", url),
    HIT("referer", "text", referer),
    HIT("is_refresh", I2, refresh),
    {"referer_category_id", I2, SOMETIMES, 25, 12000, NULL},
    {"referer_region_id", I4, SOMETIMES, 40, 5000, NULL},
    {"url_category_id", I2, SOMETIMES, 70, 12000, NULL},
    {"url_region_id", I4, SOMETIMES, 60, 5000, NULL},
    HIT("resolution_width", I2, width),
    HIT("resolution_height", I2, height),
    {"resolution_depth", I2, OF_USER, 22, 10, NULL},
    HIT("flash_major", I2, flash),
    {"flash_minor", I2, OF_USER, 0, 10, NULL},
    HIT("flash_minor2", "text", flash_minor),
    {"net_major", I2, SOMETIMES, 20, 4, NULL},
    {"net_minor", I2, SOMETIMES, 10, 3, NULL},
    {"user_agent_major", I2, OF_USER, 0, 60, NULL},
    HIT("user_agent_minor", "varchar(255)", agent_minor),
    {"cookie_enable", I2, ALWAYS, 1, 0, NULL},
    {"javascript_enable", I2, ALWAYS, 1, 0, NULL},
    HIT("is_mobile", I2, is_mobile),
    HIT("mobile_phone", I2, mobile),
    HIT("mobile_phone_model", "text", model),
    {"params", "text", TEXT_SOME, 0.3, 200, NULL},
    {"ip_network_id", I4, OF_USER, 1000000, 40000, NULL},
    HIT("traffic_source_id", I2, traffic),
    HIT("search_engine_id", I2, engine),
    HIT("search_phrase", "text", phrase_of),
    HIT("adv_engine_id", I2, campaign),
    {"is_artificial", I2, SOMETIMES, 0.4, 1, NULL},
    HIT("window_client_width", I2, client_width),
    HIT("window_client_height", I2, client_height),
    {"client_time_zone", I2, OF_USER, 130, 25, NULL},
    HIT("client_event_time", "timestamp", client_time),
    {"silverlight_version1", I2, OF_USER, -1, 6, NULL},
    {"silverlight_version2", I2, OF_USER, -1, 3, NULL},
    {"silverlight_version3", I4, OF_USER, 0, 70000, NULL},
    {"silverlight_version4", I2, ALWAYS, 0, 0, NULL},
    HIT("page_charset", "text", charset),
    {"code_version", I4, SOMETIMES, 97, 1800, NULL},
    {"is_link", I2, SOMETIMES, 9, 1, NULL},
    {"is_download", I2, SOMETIMES, 0.2, 1, NULL},
    {"is_not_bounce", I2, SOMETIMES, 80, 1, NULL},
    HIT("funiq_id", I8, unique),
    HIT("original_url", "text", original),
    HIT("hid", I4, hid),
    {"is_old_counter", I2, ALWAYS, 0, 0, NULL},
    {"is_event", I2, SOMETIMES, 2, 1, NULL},
    {"is_parameter", I2, ALWAYS, 0, 0, NULL},
    {"dont_count_hits", I2, SOMETIMES, 9, 1, NULL},
    {"with_hash", I2, SOMETIMES, 3, 1, NULL},
    HIT("hit_color", "char(1)", color),
    HIT("local_event_time", "timestamp", local_time),
    {"age", I2, OF_USER, -1, 55, NULL},
    {"sex", I2, OF_USER, -1, 3, NULL},
    {"income", I2, OF_USER, -1, 5, NULL},
    {"interests", I2, OF_USER, -1, 30000, NULL},
    {"robotness", I2, SOMETIMES, 5, 40, NULL},
    {"remote_ip", I4, OF_USER, -900000000, 1u << 30, NULL},
    {"window_name", I4, SOMETIMES, 50, 6000, NULL},
    {"opener_name", I4, SOMETIMES, 20, 6000, NULL},
    {"history_length", I2, SOMETIMES, 90, 90, NULL},
    HIT("browser_language", "text", language),
    HIT("browser_country", "text", country),
    {"social_network", "text", TEXT_SOME, 0.2, 10, NULL},
    {"social_action", "text", TEXT_SOME, 0.2, 5, NULL},
    {"http_error", I2, ALWAYS, 0, 0, NULL},
    {"send_timing", I4, SOMETIMES, 60, 30000, NULL},
    {"dns_timing", I4, SOMETIMES, 40, 3000, NULL},
    {"connect_timing", I4, SOMETIMES, 50, 3000, NULL},
    {"response_start_timing", I4, SOMETIMES, 60, 10000, NULL},
    {"response_end_timing", I4, SOMETIMES, 60, 20000, NULL},
    {"fetch_timing", I4, SOMETIMES, 60, 60000, NULL},
    {"social_source_network_id", I2, SOMETIMES, 1, 20, NULL},
    {"social_source_page", "text", TEXT_SOME, 0.5, 5000, NULL},
    {"param_price", I8, SOMETIMES, 0.1, 1000000, NULL},
    HIT("param_order_id", "text", order),
    HIT("param_currency", "text", currency),
    {"param_currency_id", I2, ALWAYS, 0, 0, NULL},
    {"openstat_service_name", "text", TEXT_SOME, 0.6, 20, NULL},
    {"openstat_campaign_id", "text", TEXT_SOME, 0.6, 500, NULL},
    {"openstat_ad_id", "text", TEXT_SOME, 0.6, 5000, NULL},
    {"openstat_source_id", "text", TEXT_SOME, 0.6, 50, NULL},
    {"utm_source", "text", TEXT_SOME, 3, 60, NULL},
    {"utm_medium", "text", TEXT_SOME, 3, 12, NULL},
    {"utm_campaign", "text", TEXT_SOME, 3, 800, NULL},
    {"utm_content", "text", TEXT_SOME, 2, 2000, NULL},
    {"utm_term", "text", TEXT_SOME, 1, 5000, NULL},
    {"from_tag", "text", TEXT_SOME, 0.8, 100, NULL},
    {"has_gclid", I2, SOMETIMES, 0.5, 1, NULL},
    HIT("referer_hash", I8, referer_hash),
    HIT("url_hash", I8, url_hash),
    {"clid", I4, SOMETIMES, 4, 2000, NULL},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };
_Static_assert(COLUMNS == 105, "as many as ClickBench's");

static void put_value(const struct column *c, struct hit *h)
{
    switch (c->source) {
    case OF_HIT: c->put(h); break;
    case ALWAYS: put_number((int64_t)c->a); break;
    case SOMETIMES: put_number(percent(&h->s, c->a) ? (int64_t)skewed(&h->s, c->b) : 0); break;
    case OF_USER: put_number((int64_t)c->a + (int64_t)trait(h, c->name, c->b)); break;
    case TEXT_SOME:
        if (percent(&h->s, c->a)) put_word(skewed(&h->s, c->b) + strlen(c->name) * 1000, false);
        break;
    }
}

static int put_schema(void)
{
    puts("CREATE TABLE hits (");
    for (int i = 0; i < COLUMNS; i++)
        printf("    %s %s NOT NULL%s\n", columns[i].name, columns[i].type,
               i + 1 < COLUMNS ? "," : ")");
    return 0;
}

static int put_rows(void)
{
    for (int64_t i = 0; i < rows; i++) {
        struct hit h = begin_hit(i);
        at = line;
        for (int c = 0; c < COLUMNS; c++) {
            if (c) *at++ = '\t';
            put_value(&columns[c], &h);
        }
        *at++ = '\n';
        if (fwrite(line, 1, (size_t)(at - line), stdout) != (size_t)(at - line)) break;
    }
    if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
    perror("clickbench_generate: write");
    return 1;
}

int main(int argc, char **argv)
{
    bool schema = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--rows") && i + 1 < argc) rows = strtoll(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc) seed = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--schema")) schema = true;
        else rows = 0;
    }
    if (rows < 1) {
        fputs("usage: clickbench_generate [--rows N] [--seed N] [--schema]\n", stderr);
        return 2;
    }
    return schema ? put_schema() : put_rows();
}
