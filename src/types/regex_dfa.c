/* Automata: a part of an expression as a nondeterministic one (Thompson), made deterministic as
 * characters come (Aho, Sethi, Ullman 3.9; the cache is that of RE2).
 *
 * A state is a set of positions between characters and what kind of character came before. What a
 * constraint says depends on the next character, too, so positions are followed through constraints
 * only when that is known: a state has, for each color, whether the part may end before a character
 * of it, and the state after it. With looks that also depends on where one stands: such states are
 * not kept. */
#include "types/regex_dfa_priv.h"

#include <stdlib.h>

#include "base/mem.h"

enum { CELLS_MAX = 1 << 17, NODES_MAX = 60000, UNKNOWN = -1, DEAD = -2 };

/* --- states ------------------------------------------------------------------------------------ */

static uint32_t hash_of(const struct positions *p, uint8_t before)
{
    uint32_t h = 2166136261u ^ before;
    for (uint32_t i = 0; i < p->count; i++) h = (h ^ p->at[i]) * 16777619u;
    return h ^ h >> 15;
}

static void forget_states(struct regex_dfa *d)
{
    for (uint32_t i = 0; i < d->state_count; i++) mem_free(MEM_QUERY, d->states[i]);
    d->state_count = 0;
    memset(d->starts, 0, sizeof d->starts);
    memset(d->table, 0xff, sizeof d->table);
    d->color_room = d->colors->room;
    d->generation++;
}

/* No room for another state, or none in states for all colors. */
static bool is_full(const struct regex_dfa *d)
{
    return d->state_count == DFA_STATES || d->color_room < d->colors->count ||
           (d->state_count > 1 && d->state_count * (uint64_t)d->color_room > CELLS_MAX);
}

static bool is_state(const struct dfa_state *s, const struct positions *p, uint8_t before)
{
    return s->before == before && s->count == p->count &&
           !memcmp(s->positions, p->at, p->count * sizeof *p->at);
}

/* Place for one state more, whose row says nothing yet. */
static void add_glides(struct regex_dfa *d)
{
    if (d->state_count == d->glide_room) {
        uint32_t room = d->glide_room ? 2 * d->glide_room : 8;
        uint16_t *grown = mem_alloc(MEM_QUERY, (size_t)room * ASCII * sizeof *grown);
        if (d->glide_room) memcpy(grown, d->glides, (size_t)d->glide_room * ASCII * sizeof *grown);
        mem_free(MEM_QUERY, d->glides);
        d->glides = grown;
        d->glide_room = room;
    }
    memset(d->glides + (size_t)d->state_count * ASCII, 0xff, ASCII * sizeof *d->glides);
}

static void set_glides(struct regex_dfa *d, const struct dfa_state *from, uint32_t color)
{
    uint16_t *row = d->glides + (size_t)from->number * ASCII;
    if (from->ends[color] || from->next[color] < 0) return;
    for (uint32_t c = 0; c < ASCII; c++)
        if (d->colors->ascii[c] == color) row[c] = (uint16_t)(from->next[color] * ASCII);
}

/* The state of these positions. */
static struct dfa_state *state_of(struct regex_dfa *d, const struct positions *p, uint8_t before)
{
    uint32_t colors = d->color_room, slot = hash_of(p, before) % DFA_TABLE;
    for (; d->table[slot] != UINT16_MAX; slot = (slot + 1) % DFA_TABLE)
        if (is_state(d->states[d->table[slot]], p, before)) return d->states[d->table[slot]];
    size_t row = colors * sizeof(int32_t), set = p->count * sizeof *p->at;
    struct dfa_state *s = mem_alloc(MEM_QUERY, sizeof *s + row + set + colors);
    s->next = (int32_t *)(s + 1);
    s->positions = (uint32_t *)(s->next + colors);
    s->ends = (uint8_t *)(s->positions + p->count);
    memset(s->next, 0xff, row);
    memcpy(s->positions, p->at, set);
    s->count = p->count;
    s->before = before;
    s->number = d->state_count;
    d->initial[s->number] = p->count == 1 && p->at[0] == d->start;
    add_glides(d);
    d->table[slot] = (uint16_t)d->state_count;
    d->states[d->state_count++] = s;
    return s;
}

/* --- one step ---------------------------------------------------------------------------------- */

static bool holds(uint8_t constraint, uint8_t before, uint8_t after)
{
    bool word_before = before == KIND_WORD, word_after = after == KIND_WORD;
    switch ((enum regex_constraint)constraint) {
    case AT_LINE_START: return before == KIND_NONE || before == KIND_NEWLINE;
    case AT_LINE_END: return after == KIND_NONE || after == KIND_NEWLINE;
    case AT_START: return before == KIND_NONE;
    case AT_END: return after == KIND_NONE;
    case AT_WORD_START: return !word_before && word_after;
    case AT_WORD_END: return word_before && !word_after;
    case AT_WORD_EDGE: return word_before != word_after;
    case NOT_AT_WORD_EDGE: return word_before == word_after;
    }
    return false;
}

static bool look(const struct dfa_node *n, struct regex_subject *s, uint32_t at)
{
    struct regex_dfa *d = s->looks[n->arg];
    bool found = n->behind ? regex__ends_at(d, s, at)
                           : regex__shortest(d, s, at, at, s->len, NULL) >= 0;
    return found != n->negative;
}

struct step {
    uint8_t before, after; /* kinds of the characters around */
    uint32_t color;        /* of the one after */
    uint32_t at;
    struct regex_subject *subject;
};

static void push(struct regex_dfa *d, uint32_t node)
{
    if (d->seen[node] == d->mark) return;
    d->seen[node] = d->mark;
    d->stack[d->stack_count++] = node;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Ascending, each once. */
static void tidy(struct positions *p)
{
    uint32_t kept = 0;
    for (uint32_t i = 1; i < p->count; i++)
        if (p->at[i] < p->at[i - 1]) {
            qsort(p->at, p->count, sizeof *p->at, by_number);
            break;
        }
    for (uint32_t i = 0; i < p->count; i++)
        if (!kept || p->at[kept - 1] != p->at[i]) p->at[kept++] = p->at[i];
    p->count = kept;
}

/* From the positions to those after the next character; returns whether the part may end before it. */
static bool follow(struct regex_dfa *d, const uint32_t *from, uint32_t count, const struct step *t,
                   struct positions *ret)
{
    bool ends = false;
    ret->count = 0;
    d->mark++;
    d->stack_count = 0;
    for (uint32_t i = 0; i < count; i++) push(d, from[i]);
    while (d->stack_count) {
        const struct dfa_node *n = &d->nodes[d->stack[--d->stack_count]];
        switch (n->kind) {
        case NODE_END: ends = true; break;
        case NODE_SPLIT:
            push(d, n->out);
            push(d, n->out2);
            break;
        case NODE_CONSTRAINT:
            if (holds((uint8_t)n->arg, t->before, t->after)) push(d, n->out);
            break;
        case NODE_LOOK:
            if (look(n, t->subject, t->at)) push(d, n->out);
            break;
        default:
            if (t->color != COLOR_NONE && regex__color_in(d->colors, t->color, n->arg))
                ret->at[ret->count++] = n->out;
        }
    }
    tidy(ret);
    return ends;
}

/* --- running ----------------------------------------------------------------------------------- */

/* Where a run stands: in a state, or, of automata with looks, at positions. */
struct walk {
    struct regex_dfa *d;
    struct regex_subject *s;
    struct dfa_state *state;
    struct positions own, next; /* with looks; next: those after the next character */
    uint8_t before;             /* with looks: the kind of the character before */
    bool ends;                  /* the part may end here */
    uint32_t at, next_at;       /* bytes: of the next character, and behind it */
    uint32_t color;             /* of the next character */
};

static uint8_t kind_of(const struct regex_dfa *d, uint32_t color)
{
    return d->constrained ? d->colors->kinds[color] : KIND_OTHER;
}

static uint8_t kind_before(const struct regex_dfa *d, const struct regex_subject *s, uint32_t at)
{
    if (!d->constrained) return KIND_OTHER;
    if (at == 0) return KIND_NONE;
    uint32_t from = at - 1, end;
    while (from && ((uint8_t)s->text[from] & 0xc0) == 0x80) from--;
    return kind_of(d, regex__color_at(d->colors, s->text, s->len, from, &end));
}

/* What the state says of the color for the first time. */
static void explore(struct walk *w)
{
    struct regex_dfa *d = w->d;
    if (is_full(d)) {
        d->kept.count = w->state->count;
        memcpy(d->kept.at, w->state->positions, d->kept.count * sizeof *d->kept.at);
        uint8_t before = w->state->before;
        forget_states(d);
        w->state = state_of(d, &d->kept, before);
    }
    struct dfa_state *from = w->state;
    uint8_t after = kind_of(d, w->color);
    struct step t = {from->before, after, w->color, w->at, w->s};
    from->ends[w->color] = follow(d, from->positions, from->count, &t, &d->after);
    from->next[w->color] = DEAD;
    if (!d->after.count) return;
    from->next[w->color] = (int32_t)state_of(d, &d->after, after)->number;
    set_glides(d, from, w->color);
}

/* Looks at the next character, and with it at whether the part may end before it. */
static void arrive(struct walk *w)
{
    struct regex_dfa *d = w->d;
    w->color = COLOR_NONE;
    w->next_at = w->at;
    if (w->at < w->s->len)
        w->color = regex__color_at(d->colors, w->s->text, w->s->len, w->at, &w->next_at);
    if (d->looking) {
        struct step t = {w->before, kind_of(d, w->color), w->color, w->at, w->s};
        w->ends = follow(d, w->own.at, w->own.count, &t, &w->next);
        return;
    }
    if (w->color >= d->color_room || w->state->next[w->color] == UNKNOWN) explore(w);
    w->ends = w->state->ends[w->color];
}

static void walk_begin(struct walk *w, struct regex_dfa *d, struct regex_subject *s, uint32_t at)
{
    *w = (struct walk){.d = d, .s = s, .at = at, .before = kind_before(d, s, at)};
    struct positions *p = d->looking ? &w->own : &d->after;
    if (d->looking) {
        size_t bytes = (d->node_count + 1) * sizeof *p->at;
        w->own.at = mem_alloc(MEM_QUERY, bytes);
        w->next.at = mem_alloc(MEM_QUERY, bytes);
    }
    p->at[0] = d->start;
    p->count = 1;
    if (!d->looking) {
        if (is_full(d)) forget_states(d);
        if (!d->starts[w->before]) d->starts[w->before] = state_of(d, p, w->before);
        w->state = d->starts[w->before];
    }
    arrive(w);
}

static void walk_end(struct walk *w)
{
    if (!w->d->looking) return;
    mem_free(MEM_QUERY, w->own.at);
    mem_free(MEM_QUERY, w->next.at);
}

static bool is_initial(const struct walk *w)
{
    if (w->state) return w->d->initial[w->state->number];
    return w->own.count == 1 && w->own.at[0] == w->d->start;
}

/* Over the next character. False: nothing can match any more. */
static bool walk_on(struct walk *w)
{
    if (w->color == COLOR_NONE || !w->s->steps) return false;
    w->s->steps--;
    if (w->state) {
        int32_t next = w->state->next[w->color];
        if (next == DEAD) return false;
        w->state = w->d->states[next];
    } else {
        struct positions own = w->own;
        if (!w->next.count) return false;
        w->before = kind_of(w->d, w->color);
        w->own = w->next;
        w->next = own;
    }
    w->at = w->next_at;
    arrive(w);
    return true;
}

/* The same over ASCII that states know of, up to `stop` or to where the part may end. Where only the start was
 * left last is told. */
static void glide(struct walk *w, uint32_t stop, uint32_t *cold)
{
    const struct regex_dfa *d = w->d;
    const uint8_t *text = (const uint8_t *)w->s->text;
    const uint16_t *glides = d->glides;
    uint32_t at = w->at, state = w->state->number * ASCII;
    if (stop - at > w->s->steps) stop = at + (uint32_t)w->s->steps;
    while (at < stop && text[at] < ASCII) {
        uint32_t next = glides[state + text[at]];
        if (next == GLIDE_STOP) break;
        if (d->initial[state / ASCII]) *cold = at;
        state = next;
        at++;
    }
    if (at == w->at) return;
    w->s->steps -= at - w->at;
    w->at = at;
    w->state = d->states[state / ASCII];
    arrive(w);
}

int64_t regex__longest(struct regex_dfa *d, struct regex_subject *s, uint32_t begin, uint32_t stop)
{
    struct walk w;
    int64_t last = -1;
    uint32_t cold;
    walk_begin(&w, d, s, begin);
    do {
        if (w.state) glide(&w, stop, &cold);
        if (w.at > stop) break;
        if (w.ends) last = w.at;
    } while (w.at < stop && walk_on(&w));
    walk_end(&w);
    return last;
}

int64_t regex__shortest(struct regex_dfa *d, struct regex_subject *s, uint32_t begin, uint32_t least,
                        uint32_t stop, uint32_t *ret_cold)
{
    struct walk w;
    int64_t found = -1;
    uint32_t cold = begin;
    walk_begin(&w, d, s, begin);
    do {
        if (w.state) glide(&w, stop, &cold);
        if (w.at > stop) break;
        if (is_initial(&w)) cold = w.at;
        if (w.ends && w.at >= least) found = w.at;
    } while (found < 0 && w.at < stop && walk_on(&w));
    walk_end(&w);
    if (ret_cold) *ret_cold = cold;
    return found;
}

bool regex__ends_at(struct regex_dfa *d, struct regex_subject *s, uint32_t at)
{
    struct walk w;
    walk_begin(&w, d, s, 0);
    bool known = !d->looking && d->last_state && d->last_text == s->text && d->last_len == s->len &&
                 d->last_at <= at && d->last_generation == d->generation;
    if (known) {
        w.at = d->last_at;
        w.state = d->last_state;
        arrive(&w);
    }
    while (w.at < at && walk_on(&w)) {}
    bool ends = w.at == at && w.ends;
    d->last_text = s->text;
    d->last_len = s->len;
    d->last_at = w.at;
    d->last_state = w.at == at ? w.state : NULL;
    d->last_generation = d->generation;
    walk_end(&w);
    return ends;
}

/* --- life -------------------------------------------------------------------------------------- */

enum status regex__dfa_new(const struct regex_tree *t, struct regex_colors *colors,
                           const struct regex_part *part, struct regex_dfa **ret)
{
    struct regex_dfa *d = mem_alloc(MEM_QUERY, sizeof *d);
    d->colors = colors;
    d->constrained = t->has_constraints || t->look_count;
    enum status st = regex__build(d, part, NODES_MAX);
    if (st != OK) {
        regex__dfa_free(d);
        return st;
    }
    d->seen = mem_alloc(MEM_QUERY, d->node_count * sizeof *d->seen);
    d->stack = mem_alloc(MEM_QUERY, d->node_count * sizeof *d->stack);
    d->after.at = mem_alloc(MEM_QUERY, (d->node_count + 1) * sizeof *d->after.at);
    d->kept.at = mem_alloc(MEM_QUERY, (d->node_count + 1) * sizeof *d->kept.at);
    forget_states(d);
    *ret = d;
    return OK;
}

void regex__dfa_free(struct regex_dfa *d)
{
    if (!d) return;
    if (d->seen) forget_states(d);
    mem_free(MEM_QUERY, d->nodes);
    mem_free(MEM_QUERY, d->glides);
    mem_free(MEM_QUERY, d->seen);
    mem_free(MEM_QUERY, d->stack);
    mem_free(MEM_QUERY, d->after.at);
    mem_free(MEM_QUERY, d->kept.at);
    mem_free(MEM_QUERY, d);
}
