/* What is UTF-8: cells of a column, and bytes of a text that are not. */
#include "kernels.h"

/* How many bytes the character at `p` has; minus as many as belong together where it is none (Unicode 15, table 3-7,
 * and the "maximal subpart" of section 3.9, as Python's codec has it). */
static int character(const uint8_t *p, const uint8_t *end) {
    uint8_t lead = *p, low = 0x80, high = 0xBF;
    int more;
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return -1;
    if (lead < 0xE0) {
        more = 1;
    } else if (lead < 0xF0) {
        more = 2;
        if (lead == 0xE0)
            low = 0xA0;
        if (lead == 0xED)
            high = 0x9F;
    } else {
        more = 3;
        if (lead == 0xF0)
            low = 0x90;
        if (lead == 0xF4)
            high = 0x8F;
    }
    for (int at = 1; at <= more; at++) {
        if (p + at == end || p[at] < low || p[at] > high)
            return -at;
        low = 0x80;
        high = 0xBF;
    }
    return more + 1;
}

/* The places where bytes that are not UTF-8 begin and end, at most `most` pairs. Returns how many pairs there are; looks
 * no further once they are `most`, and says in `seen` how far it has come. */
EXPORT int64_t utf8_errors(const uint8_t *data, int64_t size, int64_t *places, int64_t most, int64_t *seen) {
    const uint8_t *p = data, *end = data + size;
    int64_t count = 0;
    while (p < end && count < most) {
        if (*p < 0x80) {
            while (end - p >= 8 && !(load8(p) & HIGHS))
                p += 8;
            while (p < end && *p < 0x80)
                p++;
            continue;
        }
        int length = character(p, end);
        if (length < 0) {
            length = -length;
            places[2 * count] = p - data;
            places[2 * count++ + 1] = p - data + length;
        }
        p += length;
    }
    *seen = p - data;
    return count;
}

static bool is_utf8(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        if (end - p >= 8 && !(load8(p) & HIGHS)) {
            p += 8;
        } else if (*p < 0x80) {
            p++;
        } else {
            int size = character(p, end);
            if (size < 0)
                return false;
            p += size;
        }
    }
    return true;
}

/* Marks the cells that are no UTF-8 in the bits `bad`, if there are any. Returns how many there are. */
EXPORT int64_t utf8_faults(CELLS, uint8_t *bad) {
    int64_t count = 0;
    uint8_t all = 0;
    if (n > 0)
        for (int32_t at = offsets[0]; at < offsets[n]; at++)
            all |= data[at];
    if (all < 0x80)
        return 0;
    memset(bad, 0, (size_t)(n + 7) / 8);
    for (int64_t row = 0; row < n; row++) {
        if (is_valid(valid, bit + row) && !is_utf8(data + offsets[row], data + offsets[row + 1])) {
            set_bit(bad, row);
            count++;
        }
    }
    return count;
}
