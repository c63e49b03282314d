/* Nodes of an automaton, from a part of an expression: built from the end to the beginning, each
 * piece with the node that comes after it (Thompson). */
#include "types/regex_dfa_priv.h"

#include "base/array.h"

struct builder {
    struct regex_dfa *d;
    uint32_t room, most;
    bool loose; /* constraints hold: for references, which compare text */
};

static enum status add(struct builder *b, struct dfa_node n, uint32_t *ret)
{
    struct regex_dfa *d = b->d;
    if (d->node_count == b->most) return REGEX_TOO_COMPLEX();
    if (d->node_count == b->room) {
        b->room = b->room ? b->room * 2 : 16;
        d->nodes = mem_realloc(MEM_QUERY, d->nodes, b->room * sizeof n);
    }
    d->nodes[d->node_count] = n;
    *ret = d->node_count++;
    return OK;
}

static enum status branches(struct builder *b, const struct regex_branch *first, uint32_t next,
                            uint32_t *ret);

static enum status once(struct builder *b, const struct regex_piece *p, uint32_t next, uint32_t *ret)
{
    bool loose = b->loose;
    enum status st;
    switch ((enum regex_piece_kind)p->kind) {
    case PIECE_SET: return add(b, (struct dfa_node){NODE_SET, .arg = (uint16_t)p->set->number, .out = next}, ret);
    case PIECE_GROUP: return branches(b, p->group, next, ret);
    case PIECE_BACK:
        b->loose = true;
        st = branches(b, p->group, next, ret);
        b->loose = loose;
        return st;
    case PIECE_CONSTRAINT:
    case PIECE_LOOK: break;
    }
    *ret = next;
    if (b->loose) return OK;
    struct dfa_node n = {NODE_CONSTRAINT, .arg = p->constraint, .out = next};
    if (p->kind == PIECE_LOOK) {
        n = (struct dfa_node){NODE_LOOK, p->behind, p->negative, p->look, next, 0};
        b->d->looking = true;
    }
    return add(b, n, ret);
}

/* The piece as often as it may come. */
static enum status repeat(struct builder *b, const struct regex_piece *p, uint32_t next, uint32_t *ret)
{
    uint32_t at = next, split, body;
    int min = p->min;
    if (p->max == REGEX_MANY) {
        TRY(add(b, (struct dfa_node){NODE_SPLIT, .out2 = next}, &split));
        TRY(once(b, p, split, &body));
        b->d->nodes[split].out = body;
        at = min ? body : split;
        min -= min > 0;
    } else {
        for (int i = min; i < p->max; i++) {
            TRY(once(b, p, at, &body));
            TRY(add(b, (struct dfa_node){NODE_SPLIT, .out = body, .out2 = next}, &at));
        }
    }
    for (int i = 0; i < min; i++) TRY(once(b, p, at, &at));
    *ret = at;
    return OK;
}

/* Pieces from this one to before `end`. Long branches are long lists: no recursion along them. */
static enum status pieces(struct builder *b, const struct regex_piece *first,
                          const struct regex_piece *end, uint32_t next, uint32_t *ret)
{
    ARRAY(const struct regex_piece *) list = {0};
    enum status st = OK;
    for (const struct regex_piece *p = first; p && p != end; p = p->next) ARRAY_PUSH(&list, p);
    *ret = next;
    for (size_t i = list.count; i-- > 0 && st == OK;) st = repeat(b, list.data[i], *ret, ret);
    ARRAY_RELEASE(&list);
    return st;
}

static enum status branches(struct builder *b, const struct regex_branch *first, uint32_t next,
                            uint32_t *ret)
{
    TRY(pieces(b, first->first, NULL, next, ret));
    for (const struct regex_branch *branch = first->next; branch; branch = branch->next) {
        uint32_t at;
        TRY(pieces(b, branch->first, NULL, next, &at));
        TRY(add(b, (struct dfa_node){NODE_SPLIT, .out = *ret, .out2 = at}, ret));
    }
    return OK;
}

enum status regex__build(struct regex_dfa *d, const struct regex_part *part, uint32_t most)
{
    struct builder b = {.d = d, .most = most};
    uint32_t end, loop, any;
    TRY(add(&b, (struct dfa_node){NODE_END}, &end));
    if (part->branches) TRY(branches(&b, part->branches, end, &d->start));
    else TRY(pieces(&b, part->first, part->end, end, &d->start));
    if (!part->search) return OK;
    TRY(add(&b, (struct dfa_node){NODE_SPLIT, .out2 = d->start}, &loop));
    TRY(add(&b, (struct dfa_node){NODE_SET, .arg = (uint16_t)d->colors->tree->set_count, .out = loop}, &any));
    d->nodes[loop].out = any;
    d->start = loop;
    return OK;
}
