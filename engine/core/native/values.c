/* The texts of single values, for rows.c. Each gives where its text ends; those of fixed width may spoil a few bytes
 * after that, of which rows_size() keeps enough. */
#include "rows.h"

static const char pairs[200] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static inline void two(uint8_t *out, unsigned value) {
    memcpy(out, pairs + 2 * value, 2);
}

static inline int digit_count(uint64_t value) {
    static const uint64_t powers[] = {
        0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
        1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
        1000000000000000000, 10000000000000000000u,
    };
    int count = (64 - __builtin_clzll(value | 1)) * 1233 >> 12; /* of bits to that of digits, or one less */
    return count + (value >= powers[count]);
}

/* The last digits of a number, before `end`. Returns where they begin. */
static inline uint8_t *digits_before(uint8_t *end, uint64_t value) {
    while (value >= 100) {
        end -= 2;
        two(end, (unsigned)(value % 100));
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        two(end, (unsigned)value);
    } else {
        *--end = (uint8_t)('0' + value);
    }
    return end;
}

uint8_t *int64_text(uint8_t *out, int64_t value) {
    uint64_t size = (uint64_t)value;
    if (value < 0) {
        *out++ = '-';
        size = -size;
    }
    uint8_t *end = out + digit_count(size);
    digits_before(end, size);
    return end;
}

/* YYYY-MM-DD of days since 1970; false: outside the years 1 to 9999. Counts in years that begin in March, so that leap
 * days come last. */
static inline bool day(uint8_t *out, int64_t days) {
    if (days < -719162 || days > 2932896)
        return false;
    uint32_t count = (uint32_t)(days + 719468), century = count / 146097, of_century = count % 146097;
    uint32_t year = (of_century - of_century / 1460 + of_century / 36524 - of_century / 146096) / 365;
    uint32_t of_year = of_century - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    uint32_t number = of_year - (153 * month + 2) / 5 + 1;
    year += 400 * century + (month >= 10);
    two(out, year / 100);
    two(out + 2, year % 100);
    out[4] = '-';
    two(out + 5, month < 10 ? month + 3 : month - 9);
    out[7] = '-';
    two(out + 8, number);
    return true;
}

uint8_t *date_text(uint8_t *out, int32_t days) {
    return day(out, days) ? out + 10 : NULL;
}

uint8_t *timestamp_text(uint8_t *out, int64_t micros) {
    const int64_t a_day = 86400000000;
    int64_t days = micros / a_day - (micros % a_day < 0);
    if (!day(out, days))
        return NULL;
    uint64_t of_day = (uint64_t)(micros - days * a_day);
    uint32_t seconds = (uint32_t)(of_day / 1000000), fraction = (uint32_t)(of_day % 1000000);
    memcpy(out + 10, "T00:00:00.000000Z", 17);
    two(out + 11, seconds / 3600);
    two(out + 14, seconds / 60 % 60);
    two(out + 17, seconds % 60);
    two(out + 20, fraction / 10000);
    two(out + 22, fraction / 100 % 100);
    two(out + 24, fraction % 100);
    return out + 27;
}

/* A number's digits, the last `places` after a point, with a zero before it where there would be nothing.
 * `high` counts 10^19. */
static inline uint8_t *decimal(uint8_t *out, bool negative, uint64_t high, uint64_t low, int places) {
    enum { WIDTH = 40 };
    uint8_t digits[WIDTH + WIDTH];
    memset(digits, '0', sizeof digits);
    uint8_t *end = digits + WIDTH, *start = digits_before(end, low);
    if (high)
        start = digits_before(end - 19, high);
    if (start > end - places - 1)
        start = end - places - 1;
    if (negative)
        *out++ = '-';
    size_t whole = (size_t)(end - start) - (size_t)places;
    memcpy(out, start, WIDTH);
    out += whole;
    if (places) {
        *out++ = '.';
        memcpy(out, end - places, WIDTH);
        out += places;
    }
    return out;
}

uint8_t *decimal128_text(uint8_t *out, const uint8_t *value, int scale) {
    const uint64_t part = 10000000000000000000u; /* 10^19 */
    uint64_t low, high;
    memcpy(&low, value, 8);
    memcpy(&high, value + 8, 8);
    bool negative = high >> 63;
    unsigned __int128 size = (unsigned __int128)high << 64 | low;
    if (negative)
        size = -size;
    if (size >> 64 == 0 && (uint64_t)size < part)
        return decimal(out, negative, 0, (uint64_t)size, scale);
    return decimal(out, negative, (uint64_t)(size / part), (uint64_t)(size % part), scale);
}

uint8_t *short_float_text(uint8_t *out, int64_t digits, int places) {
    if (places == MINUS_ZERO) {
        memcpy(out, "-0.0", 4);
        return out + 4;
    }
    return decimal(out, digits < 0, 0, (uint64_t)(digits < 0 ? -digits : digits), places);
}

/* Standard alphabet, with padding. */
uint8_t *base64(uint8_t *out, const uint8_t *p, size_t size) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; size >= 3; size -= 3, p += 3, out += 4) {
        uint32_t three = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        out[0] = (uint8_t)letters[three >> 18];
        out[1] = (uint8_t)letters[three >> 12 & 63];
        out[2] = (uint8_t)letters[three >> 6 & 63];
        out[3] = (uint8_t)letters[three & 63];
    }
    if (size == 0)
        return out;
    uint32_t rest = (uint32_t)p[0] << 16 | (size == 2 ? (uint32_t)p[1] << 8 : 0);
    out[0] = (uint8_t)letters[rest >> 18];
    out[1] = (uint8_t)letters[rest >> 12 & 63];
    out[2] = size == 2 ? (uint8_t)letters[rest >> 6 & 63] : '=';
    out[3] = '=';
    return out + 4;
}
