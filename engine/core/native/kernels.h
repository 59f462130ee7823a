/* What the kernels share. They are plain C over Arrow's buffers: no Python, no allocation, no state, so any number of
 * threads may run them at once.
 *
 * Every kernel trusts its buffers to be as long as Arrow's layout says and nothing about the bytes in them: those are
 * a client's. It never reads outside a cell.
 */
#ifndef ENGINE_KERNELS_H
#define ENGINE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* Variable-width column: `offsets` are the n + 1 of its rows; bit `bit + row` of `valid` is clear for a null row,
 * and a column without nulls may have no `valid`. */
#define CELLS const uint8_t *valid, int64_t bit, const int32_t *offsets, const uint8_t *data, int64_t n

static inline bool is_valid(const uint8_t *valid, int64_t place) {
    return valid == NULL || (valid[place >> 3] >> (place & 7) & 1);
}

static inline void set_bit(uint8_t *bits, int64_t place) {
    bits[place >> 3] |= (uint8_t)(1 << (place & 7));
}

static inline uint64_t load8(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

#define ONES 0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

/* The high bit of each byte of `word` that is `byte`; bits above the lowest one set may be wrong. */
static inline uint64_t bytes_equal(uint64_t word, uint8_t byte) {
    uint64_t other = word ^ (ONES * byte);
    return (other - ONES) & ~other & HIGHS;
}

/* The same for bytes below `limit`, which is at most 128. */
static inline uint64_t bytes_below(uint64_t word, uint8_t limit) {
    return (word - ONES * limit) & ~word & HIGHS;
}

/* The index of the first byte marked by the masks above. Little-endian machines only, as Arrow's buffers are. */
static inline int first_byte(uint64_t mask) {
    return __builtin_ctzll(mask) >> 3;
}

#endif
