/* The columns that rows.c writes, and the texts of single values, which values.c has. */
#ifndef ENGINE_ROWS_H
#define ENGINE_ROWS_H

#include "kernels.h"

/* What a column holds and how it is written. Those up to BINARY have offsets and data. */
enum {
    AS_IT_IS = 0,    /* text */
    JSON_STRING = 1, /* text whose special characters are escaped */
    CSV_CELL = 2,    /* text, in quotes where a reader needs them */
    BINARY = 3,      /* base64 */
    INT64 = 4,
    BOOL = 5,        /* bits from `scale` on */
    DATE = 6,        /* days, 32 bits */
    TIMESTAMP = 7,   /* microseconds, 64 bits */
    DECIMAL = 8,     /* 128 bits */
    SHORT_FLOAT = 9, /* what short_floats() made: digits in `values`, places in `data` */
};

typedef struct {
    int64_t kind;
    int64_t quoted;         /* 1: values, but not nulls, stand between quotes */
    const uint8_t *valid;   /* as in CELLS */
    int64_t bit;
    const void *values;     /* or offsets */
    const uint8_t *data;
    int64_t scale;          /* of text: 1: cells are guarded against being read as formulas */
    const uint8_t *before;  /* what stands in front of the value in each row */
    int64_t before_size;
} Column;

typedef struct {
    const uint8_t *null;
    int64_t null_size;
    const uint8_t *end;     /* of a row */
    int64_t end_size;
    int64_t filled;         /* 1: an empty value is written as nulls are */
} Form;

enum {
    MOST_DECIMAL = 48,
    ROOM_TO_SPARE = 64, /* values.c may write so many bytes in one go, of which fewer count */
    MINUS_ZERO = 255,
};

uint8_t *int64_text(uint8_t *out, int64_t value);
uint8_t *date_text(uint8_t *out, int32_t days);
uint8_t *timestamp_text(uint8_t *out, int64_t micros);
uint8_t *decimal128_text(uint8_t *out, const uint8_t *value, int scale);
uint8_t *short_float_text(uint8_t *out, int64_t digits, int places);
uint8_t *base64(uint8_t *out, const uint8_t *p, size_t size);

/* memcpy, without a call for short texts, which most are. */
static inline uint8_t *copy(uint8_t *out, const uint8_t *p, size_t size) {
    if (size > 32) {
        memcpy(out, p, size);
    } else if (size >= 16) {
        memcpy(out, p, 16);
        memcpy(out + size - 16, p + size - 16, 16);
    } else if (size >= 8) {
        memcpy(out, p, 8);
        memcpy(out + size - 8, p + size - 8, 8);
    } else if (size >= 4) {
        memcpy(out, p, 4);
        memcpy(out + size - 4, p + size - 4, 4);
    } else {
        for (size_t i = 0; i < size; i++)
            out[i] = p[i];
    }
    return out + size;
}

#endif
