/* UUIDs: checked, and written in lower case with hyphens. */
#include "kernels.h"

enum { WIDTH = 36, BARE = 32 };

/* The digit in lower case; 0: none. */
static const uint8_t lower[256] = {
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7',
    ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f',
    ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f',
};

/* `size` digits; false: one is none. */
static inline bool digits(uint8_t *out, const uint8_t *p, int size) {
    bool good = true;
    for (int i = 0; i < size; i++) {
        out[i] = lower[p[i]];
        good &= out[i] != 0;
    }
    return good;
}

/* The groups of a cell; `between` is 1 where hyphens stand between them. */
static inline bool groups(uint8_t *out, const uint8_t *p, int between) {
    static const int sizes[5] = {8, 4, 4, 4, 12};
    bool good = true;
    for (int i = 0; i < 5; i++) {
        good &= digits(out, p, sizes[i]);
        p += sizes[i];
        out += sizes[i];
        if (i < 4) {
            good &= !between || *p == '-';
            p += between;
            *out++ = '-';
        }
    }
    return good;
}

/* The cells that are UUIDs: their bits `good`, their n + 1 ends and their texts, of 36 bytes each; the others are empty.
 * Returns how many those are, nulls among them. */
EXPORT int64_t uuids(CELLS, uint8_t *good, int32_t *ends, uint8_t *texts) {
    uint8_t *out = texts;
    int64_t refused = 0;
    memset(good, 0, (size_t)(n + 7) / 8);
    ends[0] = 0;
    for (int64_t row = 0; row < n; row++) {
        int32_t size = offsets[row + 1] - offsets[row];
        if (is_valid(valid, bit + row) && (size == WIDTH || size == BARE) && out - texts <= INT32_MAX - WIDTH
            && groups(out, data + offsets[row], size == WIDTH)) {
            set_bit(good, row);
            out += WIDTH;
        } else {
            refused++;
        }
        ends[row + 1] = (int32_t)(out - texts);
    }
    return refused;
}
