/* How things are shown, what the shell is connected to, and its help. */
#include "shell/shell_priv.h"

bool command__mode(struct shell *sh, const char *name, const struct arguments *a)
{
    enum mode m = MODE_COUNT;
    if (strcmp(name, "a") == 0) { /* as psql's \a: aligned or not */
        m = sh->style.mode == MODE_TABLE ? MODE_UNALIGNED : MODE_TABLE;
    } else if (a->count == 0) {
        printf("Output mode is %s.\n", mode_name(sh->style.mode));
        return true;
    } else if (!mode_find(a->word[0], &m)) {
        shell__say(
            sh, "ERROR",
            "unknown mode \"%s\"; there are table, line, csv, tsv, json, jsonlines, markdown, "
            "html, insert and unaligned",
            a->word[0]);
        return false;
    }
    sh->style.mode = m;
    if (m == MODE_INSERT && a->count > 1)
        snprintf(sh->style.table, sizeof(sh->style.table), "%s", a->word[1]);
    if (!sh->quiet && sh->interactive) printf("Output mode is %s.\n", mode_name(m));
    return true;
}

static bool on_off(const char *v, bool now)
{
    if (!v) return !now;
    return str_eq_nocase(v, "on") || str_eq_nocase(v, "1") || str_eq_nocase(v, "always") ||
           str_eq_nocase(v, "true");
}

static void show_settings(const struct shell *sh)
{
    const struct style *s = &sh->style;
    printf("expanded    %s\nfieldsep    '%s'\nformat      %s\nlinestyle   %s\nmaxrows     %lld\n"
           "null        '%s'\npager       %s\ntuples_only %s\n",
           sh->expanded ? "on" : "off", s->separator, mode_name(s->mode),
           s->ascii ? "ascii" : "unicode", (long long)s->rows_max, s->null_set ? s->null : "NULL",
           sh->pager ? "on" : "off", s->tuples_only ? "on" : "off");
}

bool command__pset(struct shell *sh, const char *name, const struct arguments *a)
{
    struct style *s = &sh->style;
    const char *key = a->count ? a->word[0] : "", *v = a->count > 1 ? a->word[1] : NULL;
    (void)name;
    if (a->count == 0) {
        show_settings(sh);
    } else if (strcmp(key, "null") == 0) {
        snprintf(s->null, sizeof(s->null), "%s", v ? v : "");
        s->null_set = true;
    } else if (strcmp(key, "format") == 0) {
        if (v) return command__mode(sh, "mode", &(struct arguments){.word = {v}, .count = 1});
    } else if (strcmp(key, "maxrows") == 0) {
        int64_t n;
        if (!v || !str_to_i64(slice_of(v), &n) || n < 0)
            return shell__say(sh, "ERROR", "\\pset maxrows: a number, 0 for all"), false;
        s->rows_max = n;
    } else if (strcmp(key, "pager") == 0) {
        sh->pager = on_off(v, sh->pager);
    } else if (strcmp(key, "expanded") == 0 || strcmp(key, "x") == 0) {
        sh->expanded = on_off(v, sh->expanded);
    } else if (strcmp(key, "tuples_only") == 0 || strcmp(key, "t") == 0) {
        s->tuples_only = on_off(v, s->tuples_only);
    } else if (strcmp(key, "fieldsep") == 0 || strcmp(key, "csv_fieldsep") == 0) {
        snprintf(s->separator, sizeof(s->separator), "%s", v ? v : "");
    } else if (strcmp(key, "linestyle") == 0) {
        s->ascii = v && str_eq_nocase(v, "ascii");
    } else {
        shell__say(sh, "ERROR",
                   "\\pset: unknown option \"%s\"; there are expanded, fieldsep, format, "
                   "linestyle, maxrows, null, pager and tuples_only",
                   key);
        return false;
    }
    return true;
}

static const char *kept(struct shell *sh, const char *now, const char *word)
{
    return !word || strcmp(word, "-") == 0 ? now : arena_strdup(&sh->arena, word);
}

static bool connect(struct shell *sh, const struct arguments *a)
{
    struct backend_target t = sh->target;
    const char *w = a->count ? a->word[0] : NULL;
    if (w && (strncmp(w, "postgresql://", 13) == 0 || strncmp(w, "postgres://", 11) == 0)) {
        t.address = arena_strdup(&sh->arena, w);
        t.server = true;
        t.host = t.port = t.user = t.database = t.path = NULL;
    } else if (w && (!sh->target.server || strchr(w, '/'))) {
        t = (struct backend_target){.notice = t.notice, .notice_ctx = t.notice_ctx,
                                    .path = arena_strdup(&sh->arena, w)};
    } else if (t.server) {
        t.database = kept(sh, t.database, w);
        t.user = kept(sh, t.user, a->count > 1 ? a->word[1] : NULL);
        t.host = kept(sh, t.host, a->count > 2 ? a->word[2] : NULL);
        t.port = kept(sh, t.port, a->count > 3 ? a->word[3] : NULL);
    }
    struct strbuf why;
    strbuf_init(&why, NULL);
    struct backend *next =
        t.server ? backend_server_open(&t, &why) : backend_library_open(&t, &why);
    if (next) {
        sh->b->ops->close(sh->b);
        sh->b = next;
        sh->target = t;
        sh->lost = false;
        complete__forget();
    } else {
        shell__say(sh, "ERROR", "%s", why.data);
        if (sh->interactive) fputs("Previous connection kept.\n", stderr);
    }
    strbuf_release(&why);
    return next != NULL;
}

bool command__connect(struct shell *sh, const char *name, const struct arguments *a)
{
    if (strcmp(name, "conninfo") != 0 && !connect(sh, a)) return false;
    if (sh->quiet && strcmp(name, "conninfo") != 0) return true;
    struct strbuf b;
    struct writer w;
    strbuf_init(&b, NULL);
    sh->b->ops->describe(sh->b, &b);
    shell__writer(sh, &w);
    writer_addf(&w, "%s\n", b.data);
    writer_end(&w);
    writer_release(&w);
    strbuf_release(&b);
    return true;
}

static const char help[] =
    "Statements end with a semicolon. Tab completes, Ctrl-C cancels, Ctrl-D leaves.\n"
    "\n"
    "Run\n"
    "  \\g [FILE]  \\gx        run, and write to FILE or |COMMAND; as records\n"
    "  \\gexec                run each value of the result as a statement\n"
    "  \\gset [PREFIX]        keep the row's values as variables\n"
    "  \\watch [SECONDS [N]]  run again and again\n"
    "  \\i FILE               run a file\n"
    "  \\e [FILE]             edit the statement with $EDITOR, then run it\n"
    "  \\p  \\r                show, or drop, what is typed\n"
    "  \\copy TABLE FROM|TO FILE [OPTIONS]   COPY with a file on this machine\n"
    "\n"
    "Look\n"
    "  \\d [PATTERN]          relations, or one relation in full\n"
    "  \\dt \\dv \\di \\ds       tables, views, indexes, sequences  [PATTERN]\n"
    "  \\dn \\df \\du \\dT \\l    schemas, functions, roles, types, databases\n"
    "  \\schema [PATTERN]     tables as CREATE TABLE statements\n"
    "\n"
    "Show\n"
    "  \\mode [MODE]          table line csv tsv json jsonlines markdown html insert unaligned\n"
    "  \\x  \\t  \\timing       records, rows alone, the time each statement took  [on|off]\n"
    "  \\pset [NAME VALUE]    null, maxrows, pager, fieldsep, linestyle, …\n"
    "  \\o [FILE]             results to FILE or |COMMAND; back without\n"
    "\n"
    "Other\n"
    "  \\c [DATABASE|DIR|postgresql://…]   connect elsewhere; \\conninfo says where\n"
    "  \\set [NAME VALUE]  \\unset NAME     variables, used as :NAME, :'NAME' and :\"NAME\"\n"
    "  \\echo TEXT  \\cd DIR  \\?  \\q\n"
    "\n"
    "From other shells: .tables .schema .indexes .mode .timer .read .output .open .databases\n"
    ".headers .nullvalue .maxrows .print .cd .help .quit\n";

bool command__help(struct shell *sh, const char *name, const struct arguments *a)
{
    struct writer w;
    (void)name, (void)a;
    shell__writer(sh, &w);
    writer_adds(&w, help);
    writer_end(&w);
    writer_release(&w);
    return true;
}
