/* Colors: characters that are in the same sets of an expression have one, so that automata know few
 * of them. Those of ASCII are worked out at once, others when they come. */
#include "types/regex_dfa_priv.h"

#include "base/mem.h"

static void grow(struct regex_colors *c)
{
    uint32_t room = c->room ? c->room * 2 : 16;
    c->members = mem_realloc(MEM_QUERY, c->members, (size_t)room * c->words * sizeof *c->members);
    c->kinds = mem_realloc(MEM_QUERY, c->kinds, room);
    c->room = room;
}

static const struct regex_set word = {.classes = 1u << CLASS_WORD};

static uint32_t find(struct regex_colors *c, uint32_t character)
{
    const struct regex_tree *t = c->tree;
    if (c->count == c->room) grow(c);
    uint64_t *m = &c->members[(size_t)c->count * c->words];
    memset(m, 0, c->words * sizeof *m);
    for (uint32_t i = 0; i < t->set_count; i++)
        if (regex__set_has(t->sets[i], character)) m[i / 64] |= 1ull << (i & 63);
    m[t->set_count / 64] |= 1ull << (t->set_count & 63); /* that of all characters */
    uint8_t kind = character == '\n'                ? KIND_NEWLINE
                   : regex__set_has(&word, character) ? KIND_WORD
                                                      : KIND_OTHER;
    c->kinds[c->count] = kind;
    for (uint32_t i = 1; i < c->count; i++)
        if (c->kinds[i] == kind &&
            !memcmp(&c->members[(size_t)i * c->words], m, c->words * sizeof *m))
            return i;
    return c->count++;
}

uint32_t regex__color_of(struct regex_colors *c, uint32_t character)
{
    uint32_t slot = character % COLOR_MEMO;
    if (character < 128) return c->ascii[character];
    if (!c->memo[slot].color || c->memo[slot].c != character) {
        c->memo[slot].c = character;
        c->memo[slot].color = find(c, character);
    }
    return c->memo[slot].color;
}

struct regex_colors *regex__colors_new(const struct regex_tree *t)
{
    struct regex_colors *c = mem_alloc(MEM_QUERY, sizeof *c);
    c->tree = t;
    c->words = t->set_count / 64 + 1;
    grow(c);
    memset(c->members, 0, c->words * sizeof *c->members); /* COLOR_NONE is in no set */
    c->kinds[0] = KIND_NONE;
    c->count = 1;
    for (uint32_t i = 0; i < 128; i++) c->ascii[i] = (uint16_t)find(c, i);
    return c;
}

void regex__colors_free(struct regex_colors *c)
{
    if (!c) return;
    mem_free(MEM_QUERY, c->members);
    mem_free(MEM_QUERY, c->kinds);
    mem_free(MEM_QUERY, c);
}
