/* The rows of JSON Lines and CSV: all columns of a batch in one pass, row by row, into one buffer.
 *
 * rows_size() says how much room they need at most and which texts can be copied as they are; rows_write() then writes
 * without looking at where the buffer ends. What it writes is what the encoders' Arrow way writes, byte for byte.
 */
#include "kernels.h"
#include "rows.h"

enum { BLOCK = 4096, FEW = 240 };

/* How many of at most FEW bytes are `"`, or in JSON a backslash; and control characters. Counted in bytes, for which
 * vectors have most lanes. */
static void count_special(const uint8_t *p, int size, bool json, int64_t *quotes, int64_t *controls) {
    uint8_t quoted = 0, slashes = 0, below = 0;
    for (int i = 0; i < size; i++) {
        quoted += p[i] == '"';
        slashes += p[i] == '\\';
        below += p[i] < 0x20;
    }
    *quotes += quoted + (json ? slashes : 0);
    *controls += below;
}

/* How many bytes `size` bytes grow by at most, as the contents of a JSON string or of a quoted CSV cell; -1: nothing
 * in them is special. It is a bound: a control character grows by one or by five. */
static int64_t growth(const uint8_t *p, int64_t size, bool json) {
    bool special = false;
    int64_t quotes = 0, controls = 0;
    for (int64_t at = 0; at < size; at += BLOCK) {
        int length = (int)(size - at < BLOCK ? size - at : BLOCK);
        const uint8_t *block = p + at;
        uint8_t quoted = 0, other = 0, below = 0; /* one for all would make a table of bits of the tests */
        for (int i = 0; i < length; i++) {
            quoted |= block[i] == '"';
            other |= block[i] == (json ? '\\' : ',');
            below |= block[i] < 0x20;
        }
        if (!(quoted | other | below))
            continue;
        special = true;
        for (int i = 0; i < length; i += FEW)
            count_special(block + i, length - i < FEW ? length - i : FEW, json, &quotes, &controls);
    }
    return special ? quotes + (json ? 5 * controls : 0) : -1;
}

static int64_t column_size(Column *column, int64_t n) {
    const int32_t *offsets = column->values;
    int64_t size = n > 0 && column->kind <= BINARY ? (int64_t)offsets[n] - offsets[0] : 0, grown;
    switch (column->kind) {
    case JSON_STRING: case CSV_CELL:
        grown = size ? growth(column->data + offsets[0], size, column->kind == JSON_STRING) : -1;
        if (column->scale)
            return size + (grown < 0 ? 0 : grown + 2 * n) + n;
        if (grown < 0)
            column->kind = AS_IT_IS;
        return size + (grown < 0 ? 0 : grown + 2 * n);
    case AS_IT_IS: return size;
    case BINARY: return size / 3 * 4 + 4 * n;
    case INT64: return 20 * n;
    case BOOL: return 5 * n;
    case DATE: return 10 * n;
    case TIMESTAMP: return 27 * n;
    default: return MOST_DECIMAL * n;
    }
}

/* How many bytes rows_write() writes at most, and some that it may spoil after them. Marks the columns of texts in
 * which nothing is special. */
EXPORT int64_t rows_size(Column *columns, int32_t count, int64_t n, const Form *form) {
    int64_t size = ROOM_TO_SPARE + form->end_size * n;
    for (int32_t k = 0; k < count; k++)
        size += column_size(&columns[k], n) + (columns[k].before_size + form->null_size + 2) * n;
    return size;
}

static uint8_t *json_string(uint8_t *out, const uint8_t *p, const uint8_t *end) {
    static const char shorts[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    for (;;) {
        while (end - p >= 8) {
            uint64_t word = load8(p);
            uint64_t stop = bytes_equal(word, '"') | bytes_equal(word, '\\') | bytes_below(word, 0x20);
            memcpy(out, &word, 8);
            if (stop) {
                out += first_byte(stop);
                p += first_byte(stop);
                break;
            }
            out += 8;
            p += 8;
        }
        while (p < end && *p != '"' && *p != '\\' && *p >= 0x20)
            *out++ = *p++;
        if (p == end)
            return out;
        uint8_t c = *p++;
        *out++ = '\\';
        if (c >= 0x20) {
            *out++ = c;
        } else if (shorts[c]) {
            *out++ = (uint8_t)shorts[c];
        } else {
            memcpy(out, "u00", 3);
            out[3] = (uint8_t)('0' + (c >> 4));
            out[4] = (uint8_t)"0123456789abcdef"[c & 15];
            out += 5;
        }
    }
}

static inline bool begins_formula(uint8_t c) {
    return c == '=' || c == '+' || c == '-' || c == '@' || c == '\t' || c == '\r';
}

/* In quotes if a reader needs them, else as it is; guarded, with an apostrophe before what begins a formula. */
static uint8_t *csv_cell(uint8_t *out, const uint8_t *p, const uint8_t *end, bool guarded) {
    const uint8_t *seek = p;
    guarded = guarded && p < end && begins_formula(*p);
    while (end - seek >= 8) {
        uint64_t word = load8(seek);
        if (bytes_equal(word, '"') | bytes_equal(word, ',') | bytes_equal(word, '\n') | bytes_equal(word, '\r'))
            break;
        seek += 8;
    }
    while (seek < end && *seek != '"' && *seek != ',' && *seek != '\n' && *seek != '\r')
        seek++;
    if (seek == end) {
        if (guarded)
            *out++ = '\'';
        return copy(out, p, (size_t)(end - p));
    }
    *out++ = '"';
    if (guarded)
        *out++ = '\'';
    while (p < end) {
        size_t size = end - p < 8 ? (size_t)(end - p) : 8;
        uint64_t word;
        if (size == 8 && !bytes_equal(word = load8(p), '"')) {
            memcpy(out, &word, 8);
            out += 8;
        } else {
            for (size_t i = 0; i < size; i++) { /* quotes are many in JSON: no branch for each */
                *out++ = p[i];
                *out = '"';
                out += p[i] == '"';
            }
        }
        p += size;
    }
    *out++ = '"';
    return out;
}

static uint8_t *text(uint8_t *out, const Column *column, int64_t row) {
    const int32_t *offsets = column->values;
    const uint8_t *start = column->data + offsets[row];
    size_t size = (size_t)(offsets[row + 1] - offsets[row]);
    switch (column->kind) {
    case AS_IT_IS: return copy(out, start, size);
    case JSON_STRING: return json_string(out, start, start + size);
    case CSV_CELL: return csv_cell(out, start, start + size, column->scale != 0);
    default: return base64(out, start, size);
    }
}

/* NULL: a date or time outside the years 1 to 9999. */
static inline uint8_t *value(uint8_t *out, const Column *column, int64_t row) {
    switch (column->kind) {
    case INT64: return int64_text(out, ((const int64_t *)column->values)[row]);
    case BOOL:
        row += column->scale;
        if (((const uint8_t *)column->values)[row >> 3] >> (row & 7) & 1) {
            memcpy(out, "true", 4);
            return out + 4;
        }
        memcpy(out, "false", 5);
        return out + 5;
    case DATE: return date_text(out, ((const int32_t *)column->values)[row]);
    case TIMESTAMP: return timestamp_text(out, ((const int64_t *)column->values)[row]);
    case DECIMAL: return decimal128_text(out, (const uint8_t *)column->values + 16 * row, (int)column->scale);
    case SHORT_FLOAT: return short_float_text(out, ((const int64_t *)column->values)[row], column->data[row]);
    default: return text(out, column, row);
    }
}

/* Writes the rows. Returns how many bytes they are; -1: a date or time is outside the years 1 to 9999. */
EXPORT int64_t rows_write(const Column *columns, int32_t count, int64_t n, const Form *form, uint8_t *room) {
    uint8_t *out = room;
    for (int64_t row = 0; row < n; row++) {
        for (int32_t k = 0; k < count; k++) {
            const Column *column = &columns[k];
            out = copy(out, column->before, (size_t)column->before_size);
            if (!is_valid(column->valid, column->bit + row)) {
                out = copy(out, form->null, (size_t)form->null_size);
                continue;
            }
            uint8_t *start = out;
            if (column->quoted)
                *out++ = '"';
            out = value(out, column, row);
            if (out == NULL)
                return -1;
            if (column->quoted)
                *out++ = '"';
            if (out == start && form->filled)
                out = copy(out, form->null, (size_t)form->null_size);
        }
        out = copy(out, form->end, (size_t)form->end_size);
    }
    return out - room;
}

/* Floats as decimals of few digits, for SHORT_FLOAT: false where one of them is none, or has an exponent in Arrow's
 * text.
 *
 * A number of at most 15 digits is the only one so short that reads as its double. So digits / 10^places, which
 * division rounds correctly, is that double's shortest text if it gives the double back; and Arrow writes the shortest,
 * without an exponent from 1e-6 to below 1e10. */
EXPORT bool short_floats(const uint8_t *valid, int64_t bit, const double *values, int64_t n, int64_t *digits,
                         uint8_t *places) {
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    for (int64_t row = 0; row < n; row++) {
        if (!is_valid(valid, bit + row))
            continue;
        double value = values[row], size = value < 0 ? -value : value;
        if (value == 0) {
            digits[row] = 0;
            places[row] = __builtin_signbit(value) ? MINUS_ZERO : 0;
            continue;
        }
        if (!(size < 1e10 && size >= 1e-6))
            return false;
        int d = 0;
        int64_t whole;
        for (;; d++) {
            if (d > 6)
                return false;
            whole = (int64_t)(size * powers[d] + 0.5);
            if (whole >= 1000000000000000)
                return false;
            if ((double)whole / powers[d] == size)
                break;
        }
        digits[row] = value < 0 ? -whole : whole;
        places[row] = (uint8_t)d;
    }
    return true;
}
