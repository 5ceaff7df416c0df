/*
 * loader.c - finds the next functions in the objects that the loader has mapped
 * SPDX-License-Identifier: MIT
 */
#include "loader.h"

#include <elf.h>
#include <link.h>

static const char names[NEXT_FUNCTIONS][16] = {
    [NEXT_SOCKET] = "socket",
    [NEXT_SETSOCKOPT] = "setsockopt",
#ifdef SETSOCKOPT64
    [NEXT_SETSOCKOPT64] = SETSOCKOPT64,
#endif
};

/* The symbol table of an object. */
struct table {
    const ElfW(Sym) * symbols;
    const char *strings;
    const uint32_t *gnu_hash;   /* NULL: none */
    const Elf_Symndx *old_hash; /* NULL: none */
    const char *soname;         /* NULL: none */
};

struct search {
    struct objects *objects;
    bool behind; /* this library was seen already */
};

/* The dynamic section of this library. The linker makes the symbol; <link.h>
 * does not say that it is hidden. */
extern const char own_dynamic[] __asm__("_DYNAMIC")
    __attribute__((visibility("hidden")));

static bool is_same(const char *one, const char *other)
{
    for (; *one == *other; one++, other++)
        if (*one == '\0')
            return true;
    return false;
}

/*
 * The address that an entry holds. glibc relocates the entries in most places
 * but not in all (not in the vDSO), other C libraries never do.
 */
static const void *address_in(const ElfW(Dyn) * entry, ElfW(Addr) base)
{
    ElfW(Addr) address = entry->d_un.d_ptr;

    return (const void *)(address < base ? base + address : address);
}

static void read_dynamic(struct table *table, const ElfW(Dyn) * dynamic,
                         ElfW(Addr) base)
{
    const ElfW(Dyn) *soname = NULL;

    *table = (struct table){.symbols = NULL};
    for (; dynamic->d_tag != DT_NULL; dynamic++)
        switch (dynamic->d_tag) {
        case DT_SYMTAB:
            table->symbols = address_in(dynamic, base);
            break;
        case DT_STRTAB:
            table->strings = address_in(dynamic, base);
            break;
        case DT_GNU_HASH:
            table->gnu_hash = address_in(dynamic, base);
            break;
        case DT_HASH:
            table->old_hash = address_in(dynamic, base);
            break;
        case DT_SONAME:
            soname = dynamic;
            break;
        default:
            break;
        }
    if (soname != NULL && table->strings != NULL)
        table->soname = table->strings + soname->d_un.d_val;
}

/* The address of a symbol if it is a function of that name, else 0. */
static ElfW(Addr)
    match(const struct table *table, const ElfW(Sym) * symbol, const char *name)
{
    /* the low four bits of st_info are the type in both classes */
    return symbol->st_shndx != SHN_UNDEF &&
                   (symbol->st_info & 0xf) == STT_FUNC &&
                   is_same(table->strings + symbol->st_name, name)
               ? symbol->st_value
               : 0;
}

/* See "GNU_HASH" in the linker's documentation and glibc's do_lookup_x(). */
static ElfW(Addr) find_by_gnu_hash(const struct table *table, const char *name)
{
    enum { BITS = 8 * sizeof(ElfW(Addr)) };
    const uint32_t *words = table->gnu_hash;
    uint32_t buckets = words[0], first = words[1], filters = words[2];
    const ElfW(Addr) *filter = (const void *)(words + 4);
    const uint32_t *bucket = (const void *)(filter + filters);
    const uint32_t *chain = bucket + buckets;
    uint32_t hash = 5381, i;
    ElfW(Addr) bits;

    if (buckets == 0 || filters == 0)
        return 0;
    for (const char *c = name; *c != '\0'; c++)
        hash = 33 * hash + (unsigned char)*c;
    bits = filter[hash / BITS % filters];
    if ((bits >> hash % BITS & bits >> (hash >> words[3]) % BITS & 1) == 0)
        return 0;
    i = bucket[hash % buckets];
    if (i < first)
        return 0;
    for (;; i++) {
        uint32_t other = chain[i - first];
        /* the low bit of a hash in the chain marks its end */
        ElfW(Addr) value = (other | 1) == (hash | 1)
                               ? match(table, &table->symbols[i], name)
                               : 0;

        if (value != 0 || (other & 1) != 0)
            return value;
    }
}

/* For the rare object without a GNU hash table. Tries all symbols in order. */
__attribute__((cold)) static ElfW(Addr)
    find_by_old_hash(const struct table *table, const char *name)
{
    Elf_Symndx count = table->old_hash[1];

    for (Elf_Symndx i = 0; i < count; i++) {
        ElfW(Addr) value = match(table, &table->symbols[i], name);

        if (value != 0)
            return value;
    }
    return 0;
}

static void *find_function(const struct table *table, const char *name,
                           ElfW(Addr) base)
{
    ElfW(Addr) value = 0;

    if (table->symbols == NULL || table->strings == NULL)
        return NULL;
    if (table->gnu_hash != NULL)
        value = find_by_gnu_hash(table, name);
    else if (table->old_hash != NULL)
        value = find_by_old_hash(table, name);
    return value != 0 ? (void *)(base + value) : NULL;
}

/* True when there is nothing left to find. */
static bool find_functions(struct objects *objects, const struct table *table,
                           ElfW(Addr) base)
{
    bool all = true;

    for (int i = 0; i < NEXT_FUNCTIONS; i++) {
        if (objects->next[i] == NULL)
            objects->next[i] = find_function(table, names[i], base);
        all = all && objects->next[i] != NULL;
    }
    return all;
}

static void note_data(struct objects *objects, const struct dl_phdr_info *info)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) != 0) {
            objects->data = info->dlpi_addr + segment->p_vaddr;
            objects->size = segment->p_memsz;
        }
    }
}

static int visit(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *search = data;
    struct objects *objects = search->objects;
    const ElfW(Dyn) *dynamic = NULL;
    struct table table;
    bool copy;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            dynamic =
                (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    if (dynamic == NULL)
        return 0;
    read_dynamic(&table, dynamic, info->dlpi_addr);
    copy = table.soname != NULL && is_same(table.soname, "libkeepalive.so");
    if ((const char *)dynamic == own_dynamic) {
        search->behind = true;
        if (copy) /* not compiled into a program, as some tests are */
            note_data(objects, info);
    } else if (copy) {
        objects->again = objects->again || !search->behind;
    } else if (search->behind) {
        if (table.soname != NULL && is_same(table.soname, "libc.so.6"))
            objects->glibc = true;
        return find_functions(objects, &table, info->dlpi_addr);
    }
    return 0;
}

void find_objects(struct objects *objects)
{
    struct search search = {objects, false};

    dl_iterate_phdr(visit, &search);
}
