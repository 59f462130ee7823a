/* Cells in which a pattern's group is looked for, or its matches replaced, by a program that program.py made of it.
 *
 * A program is a table: for each state and byte the next state, or, from `states` on, a move, which has more to do than
 * that. Each byte of a cell is read once, or twice where a needle is searched for first: the time is bound by the
 * cell's length, whatever the pattern. A program is trusted. */
#include "matcher.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

typedef struct {
    const uint8_t *open, *close; /* no match: `open` is NULL */
    const uint8_t *seen;         /* how far it was read */
    bool unknown;
} Found;

static inline bool same(const uint8_t *p, const uint8_t *other, int32_t size) {
    for (int32_t at = 0; at < size; at++)
        if (p[at] != other[at])
            return false;
    return true;
}

/* Where the needle is first, from `p` on; NULL: nowhere. Looks for its two rarest bytes, sixteen places at a time. */
static const uint8_t *find(const Program *m, const uint8_t *p, const uint8_t *end) {
    int64_t places = end - p - m->size + 1;
#if defined(__SSE2__)
    if (places >= 16) {
        __m128i one = _mm_set1_epi8((char)m->needle[m->rare]), two = _mm_set1_epi8((char)m->needle[m->rarer]);
        for (int64_t at = 0;; at = at + 32 <= places ? at + 16 : places - 16) {
            __m128i ones = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + at + m->rare)), one);
            __m128i twos = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + at + m->rarer)), two);
            for (int mask = _mm_movemask_epi8(_mm_and_si128(ones, twos)); mask != 0; mask &= mask - 1) {
                const uint8_t *place = p + at + __builtin_ctz((unsigned)mask);
                if (same(place, m->needle, m->size))
                    return place;
            }
            if (at + 16 >= places)
                return NULL;
        }
    }
#endif
    for (int64_t at = 0; at < places; at++)
        if (p[at + m->rare] == m->needle[m->rare] && same(p + at, m->needle, m->size))
            return p + at;
    return NULL;
}

static inline const uint8_t *place_of(const uint8_t *const *registers, const uint8_t *p, int32_t place) {
    return place < 0 ? p - ~place : registers[place];
}

/* All new places are told by the old ones, so none is overwritten before it is read. */
static inline void set_registers(const uint8_t **registers, const uint8_t *p, const Set *sets, int32_t count) {
    const uint8_t *made[REGISTERS];
    for (int32_t at = 0; at < count; at++)
        made[at] = place_of(registers, p, sets[at].place);
    for (int32_t at = 0; at < count; at++)
        registers[sets[at].reg] = made[at];
}

/* The state after the needle, whose beginning is as far from a match's as it ever is: `least` bytes, read from `p`.
 * DEAD: not known without a look at each byte. */
static inline uint32_t land(const Program *m, const uint8_t *p) {
    uint32_t state = (uint32_t)m->jump;
    for (int32_t at = 0; at < m->least; at++) {
        state = m->table[256 * state + p[at]];
        if (state >= (uint32_t)m->states)
            return DEAD;
    }
    return m->landings[state];
}

static Found search(const Program *m, uint32_t state, const uint8_t *p, const uint8_t *end) {
    const uint8_t *registers[REGISTERS]; /* a program reads none before it has set it */
    const uint8_t *needle = NULL; /* the first one that a match from `p` on could hold */
    Found found = {NULL, NULL, end, false};
    for (;;) {
        const uint8_t *stop = end;
        /* No path is open: a match begins here or later, so no earlier than the next needle allows. */
        if (m->size > 0 && state - IDLE < (uint32_t)m->idle) {
            if (needle == NULL || needle - p < m->least) {
                needle = end - p < m->least ? NULL : find(m, p + m->least, end);
                if (needle == NULL)
                    return found;
            }
            if (needle - p > m->most) {
                p = needle - m->most;
                state = (uint32_t)m->jump;
            }
            if (m->least == m->most) {
                uint32_t landed = land(m, p);
                if (landed != DEAD) {
                    state = landed;
                    p = needle + m->size;
                    continue;
                }
            }
            stop = needle - m->least + 1;
        }
        const uint16_t *row = m->table + 256 * state;
        uint32_t next = state;
        while (p < stop && (next = row[*p]) == state)
            p++;
        if (p == stop) {
            if (p < end)
                continue;
            next = m->ends[state];
        }
        if (next >= (uint32_t)m->states) {
            const Move *move = m->moves + (next - (uint32_t)m->states);
            if (move->open != NOTHING) {
                found.open = place_of(registers, p, move->open);
                found.close = place_of(registers, p, move->close);
            }
            set_registers(registers, p, m->sets + move->first, move->sets);
            next = (uint32_t)move->after;
        }
        if (next <= UNKNOWN) {
            found.unknown = next == UNKNOWN;
            found.seen = p;
            return found;
        }
        state = next;
        p++;
    }
}

/* The next match of a cell in which one that was not empty ended at `p`. */
static Found search_on(const Program *m, const uint8_t *p, const uint8_t *end) {
    if (m->idle == 0) /* a match begins where the cell does, or nowhere */
        return (Found){NULL, NULL, p, false};
    bool alone = m->jump < IDLE + m->idle; /* else the state must know the byte before */
    return search(m, (uint32_t)m->jump, alone ? p : p - 1, end);
}

typedef struct {
    const uint8_t *p, *end;
} Cell;

/* Without cells' bytes there may be no buffer. */
static inline Cell cell_at(const int32_t *offsets, const uint8_t *data, int64_t row) {
    const uint8_t *p = data == NULL ? (const uint8_t *)"" : data + offsets[row];
    return (Cell){p, p + (offsets[row + 1] - offsets[row])};
}

static inline bool left_alone(const Program *m, Cell cell) {
    return m->lines && cell.end > cell.p && cell.end[-1] == '\n';
}

/* What the group matched in each cell: n + 1 ends, the bytes (no more than the cells'), and in `good` the bits of those
 * cells in which the pattern matched; the others are empty. `unsure` are the bits of those that the program leaves
 * undecided, and `*undecided` is how many they are. Returns how many cells are not good, nulls among them. */
EXPORT int64_t match_cells(CELLS, const Program *program, uint8_t *good, int32_t *ends, uint8_t *bytes, uint8_t *unsure,
                           int64_t *undecided) {
    int64_t refused = 0;
    int32_t size = 0;
    memset(good, 0, (size_t)(n + 7) / 8);
    memset(unsure, 0, (size_t)(n + 7) / 8);
    *undecided = 0;
    ends[0] = 0;
    for (int64_t row = 0; row < n; row++) {
        Found found = {NULL, NULL, NULL, false};
        if (is_valid(valid, bit + row)) {
            Cell cell = cell_at(offsets, data, row);
            found.unknown = left_alone(program, cell);
            if (!found.unknown)
                found = search(program, (uint32_t)program->begin, cell.p, cell.end);
        }
        if (found.unknown) {
            set_bit(unsure, row);
            ++*undecided;
        }
        if (found.open != NULL && !found.unknown) {
            set_bit(good, row);
            memcpy(bytes + size, found.open, (size_t)(found.close - found.open));
            size += (int32_t)(found.close - found.open);
        } else {
            refused++;
        }
        ends[row + 1] = size;
    }
    return refused;
}

static inline uint8_t *append(uint8_t *out, const uint8_t *p, size_t size) {
    if (size > 0)
        memcpy(out, p, size);
    return out + size;
}

/* A cell with every match replaced; NULL: undecided. Where much more is read than there is, as when each match is sought
 * through to the end in vain for a longer one, that is left to others, who have a limit of time. */
static uint8_t *replace(const Program *m, Cell cell, const uint8_t *text, int64_t size, uint8_t *out) {
    const uint8_t *at = cell.p;
    int64_t allowed = 256 + 8 * (cell.end - cell.p);
    Found found = search(m, (uint32_t)m->begin, at, cell.end);
    while (found.open != NULL && !found.unknown && (allowed -= found.seen - at) >= 0) {
        out = append(out, at, (size_t)(found.open - at));
        out = append(out, text, (size_t)size);
        at = found.close;
        found = search_on(m, at, cell.end);
    }
    if (found.unknown || allowed < 0)
        return NULL;
    return append(out, at, (size_t)(cell.end - at));
}

/* The cells with `text` in place of every match, none of which may be empty: as match_cells, but a cell without a match
 * stays as it is, and there must be room for as many texts as the cells have bytes. */
EXPORT int64_t replace_cells(CELLS, const Program *program, const uint8_t *text, int64_t text_size, uint8_t *good,
                             int32_t *ends, uint8_t *bytes, uint8_t *unsure, int64_t *undecided) {
    int64_t refused = 0;
    uint8_t *out = bytes;
    memset(good, 0, (size_t)(n + 7) / 8);
    memset(unsure, 0, (size_t)(n + 7) / 8);
    *undecided = 0;
    ends[0] = 0;
    for (int64_t row = 0; row < n; row++) {
        if (is_valid(valid, bit + row)) {
            Cell cell = cell_at(offsets, data, row);
            uint8_t *done = left_alone(program, cell) ? NULL : replace(program, cell, text, text_size, out);
            if (done != NULL) {
                set_bit(good, row);
                out = done;
            } else {
                set_bit(unsure, row);
                ++*undecided;
            }
        }
        refused += !is_valid(good, row);
        ends[row + 1] = (int32_t)(out - bytes);
    }
    return refused;
}
