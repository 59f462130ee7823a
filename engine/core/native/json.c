/* JSON cells: are they valid, and compact already, and where does a path lead.
 *
 * A cell is either told for certain, or left to the reference ("unsure"): deeper than most, keys written with escapes
 * or written twice, numbers that only a parser can write in shortest form. What is told for certain is exactly what
 * the reference says of it; tests hold the two against each other.
 */
#include "kernels.h"

enum {
    SPACED = 1,  /* white space between tokens, or an escape that compact text has in another form */
    ODD = 2,     /* a number that may not be in its shortest form */
    ESCAPED = 4, /* a backslash in a string */
};

/* What a path found: `size << 2 | kind` beside where it starts. */
enum { NOTHING = 0, AS_IT_IS = 1, UNESCAPE = 2, REWRITE = 3 };

enum { MOST_DEPTH = 60, MOST_KEYS = 256, MOST_BYTES = 1 << 29 };

typedef struct {
    int32_t index;          /* of an array's element; -1: a member */
    int32_t start, size;    /* of the member's key in `names` */
} Step;

typedef struct {
    int32_t start;
    uint32_t found;
} Span;

typedef struct {
    const uint8_t *p, *end;
    unsigned form;
    int keys;                           /* in use of those below, of all objects that are open */
    struct { const uint8_t *text; size_t size; } key[MOST_KEYS];
    /* The paths, up to 64 at a time: the steps of path k are those from first[k] to first[k + 1]. */
    const int32_t *first;
    const Step *steps;
    const uint8_t *names;
    Span *spans;                        /* of this row, `stride` apart */
    int64_t stride;
    const uint8_t *base;                /* what starts are counted from */
} Reader;

static inline void skip_space(Reader *r) {
    const uint8_t *p = r->p;
    if (p < r->end && *p <= ' ') {
        while (p < r->end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
            p++;
        if (p != r->p)
            r->form |= SPACED;
        r->p = p;
    }
}

static inline int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits, or -1. */
static inline int32_t hex4(const uint8_t *p, const uint8_t *end) {
    if (end - p < 4)
        return -1;
    int a = hex_digit(p[0]), b = hex_digit(p[1]), c = hex_digit(p[2]), d = hex_digit(p[3]);
    return (a | b | c | d) < 0 ? -1 : a << 12 | b << 8 | c << 4 | d;
}

/* The character of a \u escape whose backslash is at `*p`, surrogates in pairs; -1: none. Moves past it. */
static int32_t escaped_character(const uint8_t **p, const uint8_t *end) {
    int32_t code = hex4(*p + 2, end);
    if (code < 0)
        return -1;
    *p += 6;
    if (code < 0xD800 || code > 0xDFFF)
        return code;
    if (code > 0xDBFF || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return -1;
    int32_t low = hex4(*p + 2, end);
    if (low < 0xDC00 || low > 0xDFFF)
        return -1;
    *p += 6;
    return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

/* Past the quote that ends a string whose first quote was passed; false: not valid. */
static bool string(Reader *r) {
    const uint8_t *p = r->p, *end = r->end;
    for (;;) {
        while (end - p >= 8) {
            uint64_t word = load8(p);
            uint64_t stop = bytes_equal(word, '"') | bytes_equal(word, '\\') | bytes_below(word, 0x20);
            if (stop) {
                p += first_byte(stop);
                break;
            }
            p += 8;
        }
        while (p < end && *p != '"' && *p != '\\' && *p >= 0x20)
            p++;
        if (p == end || *p < 0x20)
            return false;
        if (*p == '"') {
            r->p = p + 1;
            return true;
        }
        if (end - p < 2)
            return false;
        r->form |= ESCAPED;
        switch (p[1]) {
        case '"': case '\\': case 'b': case 'f': case 'n': case 'r': case 't':
            p += 2;
            break;
        case '/':
            r->form |= SPACED;
            p += 2;
            break;
        case 'u':
            r->form |= SPACED;
            if (escaped_character(&p, end) < 0)
                return false;
            break;
        default:
            return false;
        }
    }
}

static inline const uint8_t *digits(const uint8_t *p, const uint8_t *end) {
    while (p < end && (uint8_t)(*p - '0') <= 9)
        p++;
    return p;
}

/* Past a number; false: not one, or so long that it could be beyond a double. */
static bool number(Reader *r) {
    const uint8_t *p = r->p, *end = r->end;
    if (*p == '-')
        p++;
    const uint8_t *whole = p;
    p = digits(p, end);
    ptrdiff_t before = p - whole;
    if (before == 0 || before > 19 || (before > 1 && *whole == '0'))
        return false;
    if (p < end && *p == '.') {
        const uint8_t *fraction = ++p;
        p = digits(p, end);
        ptrdiff_t after = p - fraction;
        if (after == 0 || after > 40 || before > 18)
            return false;
        /* Its own shortest form: at most 15 digits, which a double tells apart, no last zero, no exponent wanted. */
        bool compact = after == 1 && (before <= 8) && *fraction == '0';
        if (!compact && p[-1] != '0') {
            if (*whole != '0') {
                compact = before <= 8 && after <= 7;
            } else {
                const uint8_t *significant = fraction;
                while (significant < p && *significant == '0')
                    significant++;
                compact = significant - fraction <= 3 && p - significant <= 11;
            }
        }
        if (!compact)
            r->form |= ODD;
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        const uint8_t *exponent = p;
        p = digits(p, end);
        if (p == exponent || p - exponent > 2 || before > 18)
            return false;
        r->form |= ODD;
    }
    r->p = p;
    return true;
}

static inline bool literal(Reader *r, const char *text, size_t size) {
    if ((size_t)(r->end - r->p) < size || memcmp(r->p, text, size) != 0)
        return false;
    r->p += size;
    return true;
}

static bool value(Reader *r, int depth, int level, uint64_t active);

/* The paths of `active` that go on with a member of this key (or, without one, with this element) at this level. */
static inline uint64_t going_on(const Reader *r, uint64_t active, int level, const uint8_t *key, size_t size,
                                int32_t index) {
    uint64_t found = 0;
    for (; active; active &= active - 1) {
        int k = __builtin_ctzll(active);
        const Step *step = r->steps + r->first[k] + level;
        bool same = key == NULL ? step->index == index
                                : step->index < 0 && (size_t)step->size == size &&
                                      memcmp(r->names + step->start, key, size) == 0;
        found |= (uint64_t)same << k;
    }
    return found;
}

static bool object(Reader *r, int depth, int level, uint64_t active) {
    int open = r->keys;
    uint64_t seen = 0; /* keys that may have been there before, by a hash of 6 bits */
    r->p++;
    skip_space(r);
    if (r->p < r->end && *r->p == '}') {
        r->p++;
        return true;
    }
    for (;;) {
        if (r->p == r->end || *r->p != '"')
            return false;
        const uint8_t *key = ++r->p;
        unsigned form = r->form;
        r->form = 0;
        if (!string(r) || r->form)
            return false;
        r->form = form;
        size_t size = r->p - 1 - key;
        if (r->keys == MOST_KEYS)
            return false;
        uint64_t hashed = 1ull << ((size * 7 + (size ? key[0] * 3 + key[size - 1] * 5 + key[size / 2] : 0)) & 63);
        if (seen & hashed)
            for (int at = open; at < r->keys; at++)
                if (r->key[at].size == size && memcmp(r->key[at].text, key, size) == 0)
                    return false;
        seen |= hashed;
        r->key[r->keys].text = key;
        r->key[r->keys++].size = size;
        skip_space(r);
        if (r->p == r->end || *r->p != ':')
            return false;
        r->p++;
        skip_space(r);
        if (!value(r, depth + 1, level + 1, active ? going_on(r, active, level, key, size, 0) : 0))
            return false;
        skip_space(r);
        if (r->p == r->end)
            return false;
        uint8_t mark = *r->p++;
        if (mark == '}') {
            r->keys = open;
            return true;
        }
        if (mark != ',')
            return false;
        skip_space(r);
    }
}

static bool array(Reader *r, int depth, int level, uint64_t active) {
    r->p++;
    skip_space(r);
    if (r->p < r->end && *r->p == ']') {
        r->p++;
        return true;
    }
    for (int32_t index = 0;; index++) {
        if (!value(r, depth + 1, level + 1, active ? going_on(r, active, level, NULL, 0, index) : 0))
            return false;
        skip_space(r);
        if (r->p == r->end)
            return false;
        uint8_t mark = *r->p++;
        if (mark == ']')
            return true;
        if (mark != ',')
            return false;
        skip_space(r);
    }
}

/* Past a value that begins here; notes it for the paths that end here. */
static bool value(Reader *r, int depth, int level, uint64_t active) {
    if (depth > MOST_DEPTH || r->p == r->end)
        return false;
    uint64_t ending = 0;
    for (uint64_t left = active; left; left &= left - 1) {
        int k = __builtin_ctzll(left);
        if (r->first[k + 1] - r->first[k] == level)
            ending |= 1ull << k;
    }
    active &= ~ending;
    const uint8_t *start = r->p;
    unsigned form = r->form;
    r->form = 0;
    bool good;
    switch (*start) {
    case '"':
        r->p++;
        good = string(r);
        break;
    case '{': good = object(r, depth, level, active); break;
    case '[': good = array(r, depth, level, active); break;
    case 't': good = literal(r, "true", 4); break;
    case 'f': good = literal(r, "false", 5); break;
    case 'n': good = literal(r, "null", 4); break;
    default: good = (*start == '-' || (uint8_t)(*start - '0') <= 9) && number(r); break;
    }
    if (!good)
        return false;
    if (ending) {
        Span span = {(int32_t)(start - r->base), 0};
        uint32_t size = (uint32_t)(r->p - start);
        if (*start == '"') {
            span.start++;
            span.found = (size - 2) << 2 | (r->form & ESCAPED ? UNESCAPE : AS_IT_IS);
        } else if (r->form & ODD) {
            return false;
        } else if (*start != 'n') {
            span.found = size << 2 | (r->form & SPACED ? REWRITE : AS_IT_IS);
        }
        for (; ending; ending &= ending - 1)
            r->spans[__builtin_ctzll(ending) * r->stride] = span;
    }
    r->form |= form;
    return true;
}

/* A whole cell; false: unsure. */
static bool cell(Reader *r, const uint8_t *start, const uint8_t *end, uint64_t active) {
    r->p = start;
    r->end = end;
    r->form = 0;
    r->keys = 0;
    if (end - start > MOST_BYTES)
        return false;
    skip_space(r);
    if (!value(r, 0, 0, active))
        return false;
    skip_space(r);
    return r->p == end;
}

/* For each row whether its cell is compact JSON (0), valid and to be rewritten (1), or unsure (2); 0 where null.
 * Counts the rows of each in `counts`. */
EXPORT void json_forms(CELLS, uint8_t *forms, int64_t counts[3]) {
    Reader r = {0};
    counts[0] = counts[1] = counts[2] = 0;
    for (int64_t row = 0; row < n; row++) {
        int form = 0;
        if (is_valid(valid, bit + row))
            form = !cell(&r, data + offsets[row], data + offsets[row + 1], 0) || r.form & ODD ? 2 : r.form & SPACED ? 1 : 0;
        forms[row] = (uint8_t)form;
        counts[form]++;
    }
}

/* Where up to 64 paths lead in each row: `spans` has n of them a path. Rows that are unsure are marked in `unsure`, and
 * their paths find nothing. Returns how many those are. */
EXPORT int64_t json_find(CELLS, int32_t paths, const int32_t *first, const Step *steps, const uint8_t *names,
                         Span *spans, uint8_t *unsure) {
    Reader r = {.first = first, .steps = steps, .names = names, .stride = n, .base = data};
    uint64_t all = paths >= 64 ? ~0ull : (1ull << paths) - 1;
    int64_t count = 0;
    memset(spans, 0, sizeof(Span) * (size_t)n * (size_t)paths);
    for (int64_t row = 0; row < n; row++) {
        unsure[row] = 0;
        if (!is_valid(valid, bit + row))
            continue;
        r.spans = spans + row;
        if (!cell(&r, data + offsets[row], data + offsets[row + 1], all)) {
            for (int32_t k = 0; k < paths; k++)
                spans[k * n + row] = (Span){0, NOTHING};
            unsure[row] = 1;
            count++;
        }
    }
    return count;
}

static uint8_t *encode(uint8_t *out, int32_t code) {
    if (code < 0x80) {
        *out++ = (uint8_t)code;
    } else if (code < 0x800) {
        *out++ = (uint8_t)(0xC0 | code >> 6);
        *out++ = (uint8_t)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *out++ = (uint8_t)(0xE0 | code >> 12);
        *out++ = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (code & 0x3F));
    } else {
        *out++ = (uint8_t)(0xF0 | code >> 18);
        *out++ = (uint8_t)(0x80 | (code >> 12 & 0x3F));
        *out++ = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (code & 0x3F));
    }
    return out;
}

/* The text inside a valid string. Never longer than that. */
static uint8_t *unescape(uint8_t *out, const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        const uint8_t *mark = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((mark ? mark : end) - p);
        memcpy(out, p, plain);
        out += plain;
        p += plain;
        if (p == end)
            break;
        switch (p[1]) {
        case 'b': *out++ = '\b'; p += 2; break;
        case 'f': *out++ = '\f'; p += 2; break;
        case 'n': *out++ = '\n'; p += 2; break;
        case 'r': *out++ = '\r'; p += 2; break;
        case 't': *out++ = '\t'; p += 2; break;
        case 'u': out = encode(out, escaped_character(&p, end)); break;
        default: *out++ = p[1]; p += 2; break;
        }
    }
    return out;
}

/* A character that was an escape, as compact text has it. */
static uint8_t *escape(uint8_t *out, int32_t code) {
    static const char shorts[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    if (code == '"' || code == '\\' || (code < 0x20 && shorts[code])) {
        *out++ = '\\';
        *out++ = (uint8_t)(code < 0x20 ? shorts[code] : code);
        return out;
    }
    if (code >= 0x20)
        return encode(out, code);
    memcpy(out, "\\u00", 4);
    out[4] = (uint8_t)('0' + (code >> 4));
    out[5] = (uint8_t)"0123456789abcdef"[code & 15];
    return out + 6;
}

/* The compact form of valid JSON without odd numbers. Never longer than that. */
static uint8_t *compacted(uint8_t *out, const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        if (*p <= ' ') {
            p++;
            continue;
        }
        if (*p != '"') {
            *out++ = *p++;
            continue;
        }
        *out++ = *p++;
        while (*p != '"') {
            if (*p != '\\') {
                *out++ = *p++;
            } else if (p[1] == 'u') {
                out = escape(out, escaped_character(&p, end));
            } else {
                if (p[1] != '/')
                    *out++ = '\\';
                *out++ = p[1];
                p += 2;
            }
        }
        *out++ = *p++;
    }
    return out;
}

static inline uint8_t *write_span(uint8_t *out, const uint8_t *start, size_t size, unsigned kind) {
    if (kind == UNESCAPE)
        return unescape(out, start, start + size);
    if (kind == REWRITE)
        return compacted(out, start, start + size);
    memcpy(out, start, size);
    return out + size;
}

/* How many bytes the texts of a path's spans have at most. */
EXPORT int64_t json_size(const Span *spans, int64_t n) {
    int64_t size = 0;
    for (int64_t row = 0; row < n; row++)
        size += spans[row].found >> 2;
    return size;
}

/* A path's texts as a column: its n + 1 offsets, its validity, its bytes (as many as json_size says). Returns how many
 * rows are null. */
EXPORT int64_t json_texts(const Span *spans, int64_t n, const uint8_t *data, int32_t *offsets, uint8_t *valid,
                          uint8_t *texts) {
    uint8_t *out = texts;
    int64_t nulls = 0;
    memset(valid, 0, (size_t)(n + 7) / 8);
    for (int64_t row = 0; row < n; row++) {
        unsigned kind = spans[row].found & 3;
        offsets[row] = (int32_t)(out - texts);
        if (kind == NOTHING) {
            nulls++;
            continue;
        }
        valid[row >> 3] |= (uint8_t)(1 << (row & 7));
        out = write_span(out, data + spans[row].start, spans[row].found >> 2, kind);
    }
    offsets[n] = (int32_t)(out - texts);
    return nulls;
}

/* The cells in compact form, by what json_forms said of them; those that are unsure become empty. */
EXPORT void json_compact(CELLS, const uint8_t *forms, int32_t *ends, uint8_t *texts) {
    uint8_t *out = texts;
    ends[0] = 0;
    for (int64_t row = 0; row < n; row++) {
        const uint8_t *start = data + offsets[row];
        size_t size = (size_t)(offsets[row + 1] - offsets[row]);
        if (is_valid(valid, bit + row) && forms[row] < 2)
            out = write_span(out, start, size, forms[row] ? REWRITE : AS_IT_IS);
        ends[row + 1] = (int32_t)(out - texts);
    }
}
