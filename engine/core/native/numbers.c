/* Integers and floats. A cell that takes more than a few operations to read exactly is left to the reference. */
#include "kernels.h"

/* Up to 18 digits, which always fit. */
static inline bool integer(const uint8_t *p, const uint8_t *end, int64_t *value) {
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (p == end || end - p > 18)
        return false;
    int64_t sum = 0;
    for (; p < end; p++) {
        unsigned digit = (unsigned)*p - '0';
        if (digit > 9)
            return false;
        sum = 10 * sum + digit;
    }
    *value = negative ? -sum : sum;
    return true;
}

/* A number of up to 18 significant digits, as a whole number below 2^53 and a power of ten up to 22: both are doubles,
 * so their product or quotient, rounded once, is the nearest double (Clinger, "How to read floating point numbers
 * accurately", 1990). */
static inline bool floating(const uint8_t *p, const uint8_t *end, double *value) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    uint64_t sum = 0;
    int digits = 0, exponent = 0;
    const uint8_t *first = p;
    for (; p < end && (unsigned)*p - '0' <= 9; p++)
        sum = 10 * sum + (*p - '0');
    ptrdiff_t length = p - first;
    digits = (int)length;
    if (length > 18)
        return false;
    if (p < end && *p == '.') {
        first = ++p;
        for (; p < end && (unsigned)*p - '0' <= 9; p++)
            sum = 10 * sum + (*p - '0');
        length = p - first;
        if (length > 18)
            return false;
        digits += (int)length;
        exponent = -(int)length;
    }
    if (digits == 0 || digits > 18 || sum > 1ull << 53)
        return false;
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        bool down = p < end && *p == '-';
        p += p < end && (*p == '-' || *p == '+');
        if (p == end || end - p > 2)
            return false;
        int more = 0;
        for (; p < end; p++) {
            unsigned digit = (unsigned)*p - '0';
            if (digit > 9)
                return false;
            more = 10 * more + (int)digit;
        }
        exponent += down ? -more : more;
    }
    if (p != end || exponent < -22 || exponent > 22)
        return false;
    double found = (double)sum;
    found = exponent < 0 ? found / powers[-exponent] : found * powers[exponent];
    *value = negative ? -found : found;
    return true;
}

#define READ_ALL(name, type, read)                                                                                     \
    /* The values of the cells that could be read, whose bits are set in `good`. Returns how many could not. */        \
    EXPORT int64_t name(CELLS, type *values, uint8_t *good) {                                                          \
        int64_t refused = 0;                                                                                           \
        memset(good, 0, (size_t)(n + 7) / 8);                                                                          \
        for (int64_t row = 0; row < n; row++) {                                                                        \
            values[row] = 0;                                                                                           \
            if (is_valid(valid, bit + row) && read(data + offsets[row], data + offsets[row + 1], &values[row]))        \
                set_bit(good, row);                                                                                    \
            else                                                                                                       \
                refused++;                                                                                             \
        }                                                                                                              \
        return refused;                                                                                                \
    }

READ_ALL(read_ints, int64_t, integer)
READ_ALL(read_floats, double, floating)

/* The rows that are null in `good` but not in `valid`, in order. Returns how many. */
EXPORT int64_t rows_lost(const uint8_t *valid, int64_t bit, const uint8_t *good, int64_t good_bit, int64_t n,
                         int64_t *rows) {
    int64_t count = 0;
    for (int64_t row = 0; row < n; row++)
        if (!is_valid(good, good_bit + row) && is_valid(valid, bit + row))
            rows[count++] = row;
    return count;
}
