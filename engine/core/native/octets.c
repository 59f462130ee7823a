/* Cells of base64. */
#include "kernels.h"

/* One more than what a letter stands for; 0: it stands for nothing. */
#define LETTERS \
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, \
    ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, \
    ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, \
    ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, \
    ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, \
    ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, \
    ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, \
    ['9'] = 62

static const uint8_t standard[256] = {LETTERS, ['+'] = 63, ['/'] = 64};
static const uint8_t urlsafe[256] = {LETTERS, ['-'] = 63, ['_'] = 64};

/* The bytes of four letters, first byte highest; more than 24 bits: one of them is no letter. */
static inline uint32_t group(const uint8_t *values, const uint8_t *p) {
    uint32_t a = values[p[0]] - 1u, b = values[p[1]] - 1u, c = values[p[2]] - 1u, d = values[p[3]] - 1u;
    return (a | b | c | d) > 63 ? UINT32_MAX : a << 18 | b << 12 | c << 6 | d;
}

static inline uint8_t *three(uint8_t *out, uint32_t bytes) {
    out[0] = (uint8_t)(bytes >> 16);
    out[1] = (uint8_t)(bytes >> 8);
    out[2] = (uint8_t)bytes;
    return out + 3;
}

/* Decodes a cell; NULL: it is not base64. Bits that the last letter has to spare are ignored. */
static uint8_t *decode(uint8_t *out, const uint8_t *p, const uint8_t *end, const uint8_t *values) {
    if ((end - p) % 4 != 0)
        return NULL;
    if (p == end)
        return out;
    for (; end - p > 4; p += 4) {
        uint32_t bytes = group(values, p);
        if (bytes > 0xFFFFFF)
            return NULL;
        out = three(out, bytes);
    }
    int padding = p[3] != '=' ? 0 : p[2] != '=' ? 1 : 2;
    uint8_t last[4] = {p[0], p[1], padding > 1 ? 'A' : p[2], padding > 0 ? 'A' : p[3]};
    uint32_t bytes = group(values, last);
    return bytes > 0xFFFFFF ? NULL : three(out, bytes) - padding;
}

/* The cells decoded: their n + 1 ends, and their bytes (three for four of the cells'). `good` are the bits of those
 * that are base64; the others are empty. Returns how many those are, nulls among them. */
EXPORT int64_t base64_decode(CELLS, bool for_urls, uint8_t *good, int32_t *ends, uint8_t *bytes) {
    const uint8_t *values = for_urls ? urlsafe : standard;
    uint8_t *out = bytes;
    int64_t refused = 0;
    memset(good, 0, (size_t)(n + 7) / 8);
    ends[0] = 0;
    for (int64_t row = 0; row < n; row++) {
        uint8_t *done = NULL;
        if (is_valid(valid, bit + row))
            done = decode(out, data + offsets[row], data + offsets[row + 1], values);
        if (done != NULL) {
            set_bit(good, row);
            out = done;
        } else {
            refused++;
        }
        ends[row + 1] = (int32_t)(out - bytes);
    }
    return refused;
}
