/* Sixty-four bytes at a time as bit masks, after simdjson (Langdale and Lemire, "Parsing gigabytes of JSON per second",
 * section 3.1.1): bit i says something of byte i. */
#ifndef ENGINE_BLOCKS_H
#define ENGINE_BLOCKS_H

#include "kernels.h"

#if defined(__SSE2__)
#include <emmintrin.h>

typedef struct {
    __m128i part[4];
} Block;

static inline Block load_block(const uint8_t *p) {
    Block block;
    for (int i = 0; i < 4; i++)
        block.part[i] = _mm_loadu_si128((const __m128i *)(p + 16 * i));
    return block;
}

static inline uint64_t equal_mask(const Block *block, uint8_t byte) {
    __m128i wanted = _mm_set1_epi8((char)byte);
    uint64_t mask = 0;
    for (int i = 0; i < 4; i++)
        mask |= (uint64_t)(uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(block->part[i], wanted)) << (16 * i);
    return mask;
}

#else

typedef struct {
    uint64_t part[8];
} Block;

static inline Block load_block(const uint8_t *p) {
    Block block;
    memcpy(block.part, p, 64);
    return block;
}

static inline uint64_t equal_mask(const Block *block, uint8_t byte) {
    uint64_t mask = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t other = block->part[i] ^ (ONES * byte);
        uint64_t same = ~(((other & ~HIGHS) + ~HIGHS) | other) & HIGHS; /* exactly the high bits of zero bytes */
        mask |= (same >> 7) * 0x0102040810204080ull >> 56 << (8 * i);
    }
    return mask;
}

#endif

/* The block at `p`, of which `size` bytes may be read; what is beyond them is zero. */
static inline Block load_some(const uint8_t *p, int64_t size) {
    if (size >= 64)
        return load_block(p);
    uint8_t padded[64] = {0};
    memcpy(padded, p, (size_t)size);
    return load_block(padded);
}

/* Bit i of the result: whether an odd number of bits is set in bits 0 to i. */
static inline uint64_t odd_so_far(uint64_t bits) {
    for (int width = 1; width < 64; width <<= 1)
        bits ^= bits << width;
    return bits;
}

#endif
