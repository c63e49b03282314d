/* Rows of pg_type that stand for relations. Their numbers say all about them but the name, so they are
 * made as they are first asked for and stay: a relation's row type is met again and again. Readers take
 * no lock; what was put at a list's head never changes. */
#include "types/type_priv.h"

#include <stdatomic.h>

#include "base/hash.h"
#include "base/mem.h"
#include "types/record.h"

enum { LISTS = 1024, KEPT_MAX = 1 << 18 };

struct node {
    struct node *next;
    struct type_info row, array;
};

static _Atomic(struct node *) lists[LISTS];
static _Atomic(uint32_t) kept;

static const struct node *find(const struct node *n, type_id row)
{
    while (n && n->row.id != row) n = n->next;
    return n;
}

static void fill(struct node *n, type_id row)
{
    n->row = (struct type_info){.id = row, .array = row | TYPE_ROW_ARRAY_BIT, .name = "record",
                                .sql_name = "record", .rep = REP_BYTES, .width = 16, .typlen = -1,
                                .category = 'C', .align = 'd'};
    n->array = n->row;
    n->array.id = n->row.array;
    n->array.element = row;
    n->array.array = TYPE_NONE;
    n->array.name = "_record";
    n->array.sql_name = "record[]";
    n->array.category = 'A';
}

const struct type_info *type__row_get(type_id id)
{
    type_id row = id & ~(type_id)TYPE_ROW_ARRAY_BIT;
    if (!(id & TYPE_ROW_BIT) || id >> 31 || type_row_relation(id) == 0) return NULL;
    _Atomic(struct node *) *list = &lists[hash_u64(row) % LISTS];
    struct node *head = atomic_load_explicit(list, memory_order_acquire), *fresh = NULL;
    const struct node *found;
    while (!(found = find(head, row))) {
        if (!fresh) {
            if (atomic_fetch_add(&kept, 1) >= KEPT_MAX) return type_get(TYPE_RECORD);
            fresh = mem_alloc(MEM_CATALOG, sizeof *fresh);
            fill(fresh, row);
        }
        fresh->next = head;
        if (!atomic_compare_exchange_strong(list, &head, fresh)) continue;
        found = fresh;
        fresh = NULL;
        break;
    }
    mem_free(MEM_CATALOG, fresh);
    return id & TYPE_ROW_ARRAY_BIT ? &found->array : &found->row;
}
