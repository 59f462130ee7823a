/* Calls every kernel with made-up cells, each buffer allocated at exactly the size it may be read or written, so that
 * sanitizers see a step beyond. Cells are right ones that were cut off, spoilt, put together, or left alone; columns are
 * mostly of one cell, whose neighbours are then no cells at all. Prints how many columns were tried. */
#include <stdio.h>
#include <stdlib.h>

#include "matcher.h"
#include "programs.h" /* made by test_sanitized.py: PROGRAMS `programs`; those that replace are last */
#include "rows.h"

void json_forms(CELLS, uint8_t *, int64_t *);
void json_compact(CELLS, const uint8_t *, int32_t *, uint8_t *);
int64_t json_find(CELLS, int32_t, const int32_t *, const int32_t *, const uint8_t *, void *, uint8_t *);
int64_t json_size(const void *, int64_t);
int64_t json_texts(const void *, int64_t, const uint8_t *, int32_t *, uint8_t *, uint8_t *);
int64_t iso_timestamps(CELLS, bool, int64_t *, uint8_t *, uint8_t *, int64_t *);
int64_t iso_dates(CELLS, int64_t *, uint8_t *);
int64_t base64_decode(CELLS, bool, uint8_t *, int32_t *, uint8_t *);
int64_t uuids(CELLS, uint8_t *, int32_t *, uint8_t *);
int64_t utf8_faults(CELLS, uint8_t *);
int64_t rows_size(Column *, int32_t, int64_t, const Form *);
int64_t rows_write(const Column *, int32_t, int64_t, const Form *, uint8_t *);
int64_t match_cells(CELLS, const Program *, uint8_t *, int32_t *, uint8_t *, uint8_t *, int64_t *);
int64_t replace_cells(CELLS, const Program *, const uint8_t *, int64_t, uint8_t *, int32_t *, uint8_t *, uint8_t *,
                      int64_t *);
bool short_floats(const uint8_t *, int64_t, const double *, int64_t, int64_t *, uint8_t *);

void csv_lines(const uint8_t *, int64_t, int64_t *);
int csv_prove(const uint8_t *, int64_t, int64_t, uint8_t, uint8_t, int64_t *);
int64_t csv_index(const uint8_t *, int64_t, uint8_t, uint8_t, uint32_t *, int64_t);
int csv_cells(const uint8_t *, int64_t, uint8_t, uint8_t, const uint32_t *, int64_t, int32_t, const int32_t *, void *,
              int64_t, int64_t *, int64_t *);
int64_t csv_size(const void *, int64_t);
int64_t csv_column(const uint8_t *, int64_t, uint8_t, const void *, int64_t, const int32_t *, int32_t, const uint8_t *,
                   int32_t *, uint8_t *, uint8_t *);
int64_t csv_rows(const uint8_t *, int64_t, uint8_t, int32_t *, int32_t *, int32_t *, int64_t);
int64_t utf8_errors(const uint8_t *, int64_t, int64_t *, int64_t, int64_t *);
int64_t read_ints(CELLS, int64_t *, uint8_t *);
int64_t read_floats(CELLS, double *, uint8_t *);
int64_t rows_lost(const uint8_t *, int64_t, const uint8_t *, int64_t, int64_t, int64_t *);

enum { MOST_CELL = 200, MOST_ROWS = 12 };

static const char *const right[] = {
    "", "{\"a\":[1,-0.5e3,{\"b\":\"x\\u00e9\\n\"}],\"c\":null}", "[[[[1, 2.50 ,\"\\ud83d\\ude00\"]]]]", "\"a\\\"b\\/\"",
    "{\"a\" : true,\"a\":false,\"\\u0061\":12345678901234567890}", "{\"long key of some size\":{\"a\":\"value\"}}",
    "2026-11-22", "2024-02-29T23:59:59.123456789+01:30", "0001-01-01 00:00Z", "9999-12-31T23:59:59-2359", "1900-02-29T10:11",
    "QUJDREVGRw==", "QUI=", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo-_w==", "+/+/", "0123456789abcdef0123456789ABCDEF",
    "01234567-89ab-cdef-0123-456789ABCDEF", "plain text of more than sixteen bytes", "a,\"b\"\r\n\\,\x01\x1f\x7f",
    "caf\xc3\xa9 \xe2\x80\xa8 \xf0\x9f\x98\x80 \xef\xbb\xbf", "\xed\xa0\x80\xc0\x80\xf4\x90\x80\x80", "1e400", "-0",
};

static uint64_t state;

static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static int below(int limit) {
    return (int)(next() >> 33) % limit;
}

static int make_cell(uint8_t *out) {
    static const char special[] = "\"\\{}[],:-+.eE0159TZ =/_\n\r\t ,u\x80\xbf\xc3\xe2\xed\xf0\xff";
    const char *text = right[below(sizeof right / sizeof *right)];
    int size = (int)strlen(text);
    memcpy(out, text, (size_t)size);
    if (below(4) == 0) {
        const char *more = right[below(sizeof right / sizeof *right)];
        memcpy(out + size, more, strlen(more));
        size += (int)strlen(more);
    }
    for (int times = below(3); times > 0 && size > 0; times--)
        out[below(size)] = below(2) ? (uint8_t)special[below(sizeof special)] : (uint8_t)next();
    if (below(3) == 0 && size > 0) {
        int start = below(2) ? 0 : below(size), left = size - start;
        memmove(out, out + start, (size_t)left);
        size = below(left + 1);
    }
    return size;
}

static void *room(int64_t size) {
    void *made = malloc((size_t)size);
    if (made == NULL && size > 0)
        abort();
    return made;
}

typedef struct {
    uint8_t *valid, *data;
    int64_t bit, rows, size;
    int32_t *offsets;
} Made;

#define OF(m) (m).valid, (m).bit, (m).offsets, (m).data, (m).rows

static Made make_column(void) {
    uint8_t cells[MOST_ROWS * 2 * MOST_CELL];
    Made m = {.rows = below(3) ? 1 : below(MOST_ROWS + 1), .bit = below(20)};
    m.offsets = room(4 * (m.rows + 1));
    m.offsets[0] = 0;
    for (int64_t row = 0; row < m.rows; row++)
        m.offsets[row + 1] = m.offsets[row] + make_cell(cells + m.offsets[row]);
    m.size = m.offsets[m.rows];
    m.data = m.size || below(2) ? room(m.size) : NULL;
    if (m.size)
        memcpy(m.data, cells, (size_t)m.size);
    if (below(2)) {
        int64_t bytes = (m.bit + m.rows + 7) / 8;
        m.valid = room(bytes);
        for (int64_t at = 0; at < bytes; at++)
            m.valid[at] = (uint8_t)(next() | next());
    }
    return m;
}

static void try_json(Made m) {
    int64_t counts[3];
    uint8_t *forms = room(m.rows), *texts = room(m.size), *unsure = room(m.rows);
    int32_t *ends = room(4 * (m.rows + 1));
    json_forms(OF(m), forms, counts);
    json_compact(OF(m), forms, ends, texts);
    /* $.a[2].b, $.c, $ and $[0] */
    static const int32_t first[] = {0, 3, 4, 4, 5}, steps[] = {-1, 0, 1, 2, 0, 0, -1, 1, 1, -1, 2, 1, 0, 0, 0};
    int32_t *spans = room(8 * 4 * m.rows);
    json_find(OF(m), 4, first, steps, (const uint8_t *)"abc", spans, unsure);
    for (int path = 0; path < 4; path++) {
        const void *found = spans + 2 * m.rows * path;
        uint8_t *text = room(json_size(found, m.rows)), *valid = room((m.rows + 7) / 8);
        json_texts(found, m.rows, m.data, ends, valid, text);
        free(text);
        free(valid);
    }
    free(forms);
    free(texts);
    free(unsure);
    free(ends);
    free(spans);
}

static void try_texts(Made m) {
    uint8_t *good = room((m.rows + 7) / 8), *naive = room((m.rows + 7) / 8);
    int32_t *ends = room(4 * (m.rows + 1));
    int64_t *values = room(8 * m.rows), marked;
    iso_timestamps(OF(m), below(2), values, good, naive, &marked);
    iso_dates(OF(m), values, good);
    utf8_faults(OF(m), good);
    uint8_t *bytes = room(m.size / 4 * 3), *texts = room(36 * m.rows);
    base64_decode(OF(m), below(2), good, ends, bytes);
    uuids(OF(m), good, ends, texts);
    free(good);
    free(naive);
    free(ends);
    free(values);
    free(bytes);
    free(texts);
}

static void try_rows(Made m) {
    int64_t *numbers = room(8 * m.rows), *digits = room(8 * m.rows);
    int32_t *days = room(4 * m.rows);
    uint8_t *wide = room(16 * m.rows), *bits = room((m.rows + m.bit + 7) / 8), *places = room(m.rows);
    double *floats = room(8 * m.rows);
    bool in_range = below(4) > 0;
    for (int64_t row = 0; row < m.rows; row++) {
        numbers[row] = (int64_t)next() >> below(64);
        days[row] = in_range ? below(3652059) - 719162 : (int32_t)next();
        floats[row] = (double)(numbers[row] % 1000000000) / (below(2) ? 1000 : 1e7);
    }
    for (int64_t at = 0; at < 16 * m.rows; at++)
        wide[at] = (uint8_t)next();
    for (int64_t at = 0; at < (m.rows + m.bit + 7) / 8; at++)
        bits[at] = (uint8_t)next();
    bool short_ones = short_floats(m.valid, m.bit, floats, m.rows, digits, places);
    Column columns[SHORT_FLOAT + 1];
    const void *values[] = {m.offsets, m.offsets, m.offsets, m.offsets, numbers, bits, days, numbers, wide, digits};
    for (int kind = 0; kind <= SHORT_FLOAT; kind++)
        columns[kind] = (Column){kind, below(2), m.valid, m.bit, values[kind], kind > BINARY ? places : m.data,
                                 kind == BOOL ? m.bit : below(39), (const uint8_t *)",\"key\":", below(8)};
    if (below(2))
        columns[TIMESTAMP] = columns[INT64];
    if (!short_ones)
        columns[SHORT_FLOAT] = columns[DECIMAL];
    Form form = {(const uint8_t *)"null", below(5), (const uint8_t *)"}\n", 1 + below(2), below(2)};
    /* Mostly one column, so that no other's room makes up for what it lacks. */
    int count = below(4) ? 1 : SHORT_FLOAT + 1, start = count == 1 ? below(SHORT_FLOAT + 1) : 0;
    int64_t size = rows_size(columns + start, count, m.rows, &form);
    uint8_t *text = room(size);
    if (rows_write(columns + start, count, m.rows, &form, text) > size - ROOM_TO_SPARE)
        abort();
    free(text);
    free(numbers);
    free(digits);
    free(days);
    free(wide);
    free(bits);
    free(places);
    free(floats);
}

static void try_numbers(Made m) {
    int64_t *values = room(8 * m.rows);
    uint8_t *good = room((m.rows + 7) / 8);
    read_floats(OF(m), (double *)values, good);
    int64_t refused = read_ints(OF(m), values, good), *lost = room(8 * refused);
    if (rows_lost(m.valid, m.bit, good, 0, m.rows, lost) > refused)
        abort();
    free(lost);
    free(good);
    free(values);
}

static void try_programs(Made m) {
    uint8_t *good = room((m.rows + 7) / 8), *unsure = room((m.rows + 7) / 8), *bytes = room(m.size);
    int32_t *ends = room(4 * (m.rows + 1));
    int64_t undecided;
    for (int at = 0; at < PROGRAMS; at++) {
        int64_t refused = match_cells(OF(m), programs + at, good, ends, bytes, unsure, &undecided);
        if (refused > m.rows || undecided > refused || ends[m.rows] > m.size)
            abort();
    }
    int64_t text = below(4), most = m.size * (text > 1 ? text : 1);
    uint8_t *longer = room(most);
    for (int at = FIRST_REPEATED; at < PROGRAMS; at++) {
        replace_cells(OF(m), programs + at, (const uint8_t *)"abc", text, good, ends, longer, unsure, &undecided);
        if (undecided > m.rows || ends[m.rows] > most)
            abort();
    }
    free(good);
    free(unsure);
    free(bytes);
    free(longer);
    free(ends);
}

/* A text of any bytes, its quotes in their places or not, as columns of two cells a row. */
static void try_csv(void) {
    static const char *const pieces[] = {",", "\n", "\r\n", "\"", "\"\"", "\"a\",", "\"b\"\"c\"\n", "a,b\n", "\n\n", "\xff"};
    uint8_t made[40 * 2 * MOST_CELL];
    int64_t size = 0;
    for (int times = below(40); times > 0; times--) {
        const char *piece = pieces[below(sizeof pieces / sizeof *pieces)];
        size += below(4) ? (memcpy(made + size, piece, strlen(piece)), (int64_t)strlen(piece)) : make_cell(made + size);
    }
    uint8_t *text = room(size + 1);
    memcpy(text, made, (size_t)size);
    text[size++] = '\n';
    int64_t found[2], seen, pairs = 1 + below(4), *places = room(16 * pairs);
    csv_lines(text, size, found);
    csv_prove(text, below(2) ? size : below((int)size + 1), size, '"', ',', found);
    for (int64_t at = 0; at < size; at += seen)
        utf8_errors(text + at, size - at, places, pairs, &seen);
    uint8_t quote = below(3) ? '"' : 0;
    int64_t most = below(2) ? size : below(8), rows = below(2) ? size : below(8);
    uint32_t *marks = room(4 * most);
    int32_t *ends = room(4 * (size + 1)), *starts = room(4 * (size + 1)), *lines = room(4 * (size + 1));
    csv_rows(text, size, quote, starts, ends, lines, rows);
    int64_t count = csv_index(text, size, quote, ',', marks, most);
    int64_t *cells = room(8 * 2 * rows), *others = room(16 * rows);
    static const int32_t columns[] = {1, 0}, nulls[] = {0, 0, 1};
    if (count >= 0 && csv_cells(text, size, quote, ',', marks, count, 2, columns, cells, rows, others, found) == 0)
        for (int column = 0; column < 2; column++) {
            int64_t height = found[0], room_for = csv_size(cells + column * rows, height) + 16;
            uint8_t *valid = room((height + 7) / 8), *data = room(room_for);
            csv_column(text, size, quote, cells + column * rows, height, nulls, below(3), (const uint8_t *)"a", ends,
                       valid, data);
            if (ends[height] > room_for - 16)
                abort();
            free(valid);
            free(data);
        }
    free(places);
    free(marks);
    free(ends);
    free(starts);
    free(lines);
    free(cells);
    free(others);
    free(text);
}

int main(int count, char **arguments) {
    long columns = count > 1 ? atol(arguments[1]) : 1000;
    state = count > 2 ? strtoull(arguments[2], NULL, 10) | 1 : 88172645463325252u;
    for (long tried = 0; tried < columns; tried++) {
        Made m = make_column();
        try_json(m);
        try_texts(m);
        try_rows(m);
        try_numbers(m);
        try_programs(m);
        try_csv();
        free(m.valid);
        free(m.data);
        free(m.offsets);
    }
    printf("%ld\n", columns);
    return 0;
}
