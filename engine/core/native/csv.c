/* CSV text whose quotes are all in their places, as strict readers want them: proof of that, and its cells as columns.
 *
 * A dialect is three characters: delimiter, quote (or 0: none; no text with quotes is given then) and the line ends.
 */
#include "blocks.h"

/* Whether each quote of data[:stop] that opens follows a structural character, or begins the text, and each that closes
 * is followed by one of data[:size]. `found`: whether the last one is left open, and how many LFs there are. */
EXPORT int csv_prove(const uint8_t *data, int64_t stop, int64_t size, uint8_t quote, uint8_t delimiter,
                     int64_t found[2]) {
    uint64_t inside = 0;           /* all ones, if the block begins in quotes */
    uint64_t near_before = 1;      /* whether the byte before the block is structural */
    uint64_t closing_before = 0;   /* whether it is a quote that closes */
    int64_t feeds = 0;
    for (int64_t at = 0; at < stop; at += 64) {
        Block block = load_some(data + at, stop - at);
        uint64_t quotes = equal_mask(&block, quote), feed = equal_mask(&block, '\n');
        feeds += __builtin_popcountll(feed);
        uint64_t near = quotes | feed | equal_mask(&block, '\r') | equal_mask(&block, delimiter);
        uint64_t enclosed = odd_so_far(quotes) ^ inside;
        uint64_t opening = quotes & enclosed, closing = quotes & ~enclosed;
        if (opening & ~(near << 1 | near_before))
            return 0;
        if ((closing << 1 | closing_before) & ~near) {
            /* The byte after the last one of data[:stop] stands outside the block's masks. */
            uint64_t wrong = (closing << 1 | closing_before) & ~near;
            if (stop - at >= 64 || wrong & ~(1ull << (stop - at)))
                return 0;
            uint8_t after = stop < size ? data[stop] : 0;
            if (!(stop < size && (after == quote || after == '\n' || after == '\r' || after == delimiter)))
                return 0;
        }
        inside = (uint64_t)((int64_t)enclosed >> 63);
        near_before = near >> 63;
        closing_before = closing >> 63;
    }
    if (closing_before && stop % 64 == 0) {
        uint8_t after = stop < size ? data[stop] : 0;
        if (!(stop < size && (after == quote || after == '\n' || after == '\r' || after == delimiter)))
            return 0;
    }
    found[0] = inside != 0;
    found[1] = feeds;
    return 1;
}

/* How many LFs there are, and how many CRs that no LF follows. */
EXPORT void csv_lines(const uint8_t *data, int64_t size, int64_t found[2]) {
    uint64_t before = 0; /* whether the byte before the block is a CR */
    found[0] = found[1] = 0;
    for (int64_t at = 0; at < size; at += 64) {
        Block block = load_some(data + at, size - at);
        uint64_t feeds = equal_mask(&block, '\n'), returns = equal_mask(&block, '\r');
        found[0] += __builtin_popcountll(feeds);
        found[1] += __builtin_popcountll(returns) - __builtin_popcountll((returns << 1 | before) & feeds);
        before = returns >> 63;
    }
}

/* What a block's quotes enclose; `inside` is all ones where it begins in quotes, and is set to how it ends. */
static inline uint64_t in_quotes(const Block *block, uint8_t quote, uint64_t *inside) {
    if (!quote)
        return 0;
    uint64_t enclosed = odd_so_far(equal_mask(block, quote)) ^ *inside;
    *inside = (uint64_t)((int64_t)enclosed >> 63);
    return enclosed;
}

/* The places of delimiters and line ends outside quotes, at most `most`; -1: there are more. */
EXPORT int64_t csv_index(const uint8_t *text, int64_t size, uint8_t quote, uint8_t delimiter, uint32_t *places,
                         int64_t most) {
    uint64_t inside = 0;
    int64_t count = 0;
    for (int64_t at = 0; at < size; at += 64) {
        Block block = load_some(text + at, size - at);
        uint64_t enclosed = in_quotes(&block, quote, &inside);
        uint64_t marks = equal_mask(&block, delimiter) | equal_mask(&block, '\n') | equal_mask(&block, '\r');
        for (marks &= ~enclosed; marks; marks &= marks - 1) {
            if (count == most)
                return -1;
            places[count++] = (uint32_t)(at + __builtin_ctzll(marks));
        }
    }
    return count;
}

typedef struct {
    uint32_t start, size; /* inside its quotes */
} Cell;

enum { WANTED_NOT = -1 };

/* The cells of the rows of `width` cells: `cells` has `room` of them a wanted column. Blank lines are no rows.
 *
 * columns: for each position in a row, which wanted column that is, or -1.
 * others: for each row of another width its ordinal and its width; they are not in `cells`.
 * counts: set to the rows in `cells`, and the others.
 *
 * Returns 0; -1 where there are more rows than room. */
EXPORT int csv_cells(const uint8_t *text, int64_t size, uint8_t quote, uint8_t delimiter, const uint32_t *places,
                     int64_t n, int32_t width, const int32_t *columns, Cell *cells, int64_t room, int64_t *others,
                     int64_t counts[2]) {
    int64_t rows = 0, other = 0;
    int32_t cell = 0;
    uint32_t start = 0;
    for (int64_t at = 0; at < n; at++) {
        uint32_t end = places[at];
        uint8_t mark = text[end];
        if (mark != delimiter && cell == 0 && end == start) { /* a blank line, or the LF of a CRLF */
            start = end + 1;
            continue;
        }
        if (cell < width && columns[cell] != WANTED_NOT) {
            if (rows == room)
                return -1;
            Cell *found = cells + columns[cell] * room + rows;
            bool quoted = quote && end - start >= 2 && text[start] == quote && text[end - 1] == quote;
            found->start = start + quoted;
            found->size = end - start - 2 * quoted;
        }
        cell++;
        start = end + 1;
        if (mark != delimiter) {
            if (cell == width) {
                rows++;
            } else {
                if (other == room)
                    return -1;
                others[2 * other] = rows + other;
                others[2 * other++ + 1] = cell;
            }
            cell = 0;
        }
    }
    (void)size;
    counts[0] = rows;
    counts[1] = other;
    return 0;
}

/* How many bytes cells have at most. */
EXPORT int64_t csv_size(const Cell *cells, int64_t n) {
    int64_t size = 0;
    for (int64_t row = 0; row < n; row++)
        size += cells[row].size;
    return size;
}

/* Copies up to 16 bytes where more may be read and written than are wanted. */
static inline void copy16(uint8_t *to, const uint8_t *from) {
    uint64_t low = load8(from), high = load8(from + 8);
    memcpy(to, &low, 8);
    memcpy(to + 8, &high, 8);
}

/* A quoted cell's text, in which quotes are doubled. May write 7 bytes more than it moves on. */
static uint8_t *undoubled(uint8_t *out, const uint8_t *p, const uint8_t *end, uint8_t quote) {
    while (end - p >= 8) {
        uint64_t word = load8(p), quotes = bytes_equal(word, quote);
        memcpy(out, &word, 8);
        int plain = quotes ? first_byte(quotes) + 1 : 8;
        out += plain;
        p += plain + (quotes != 0);
    }
    while (p < end) {
        uint8_t byte = *p++;
        *out++ = byte;
        p += byte == quote;
    }
    return out;
}

static inline bool is_null(const uint8_t *cell, size_t size, const int32_t *nulls, int32_t count, const uint8_t *texts) {
    for (int32_t k = 0; k < count; k++)
        if ((size_t)(nulls[k + 1] - nulls[k]) == size && memcmp(texts + nulls[k], cell, size) == 0)
            return true;
    return false;
}

/* Cells as a column: its n + 1 offsets, its validity, its bytes (as many as csv_size says, and 16 to spare). A cell that
 * equals one of the `count` texts that begin and end at `nulls` is null. Returns how many are. */
EXPORT int64_t csv_column(const uint8_t *text, int64_t size, uint8_t quote, const Cell *cells, int64_t n,
                          const int32_t *nulls, int32_t count, const uint8_t *texts, int32_t *offsets, uint8_t *valid,
                          uint8_t *data) {
    uint8_t *out = data;
    int64_t null = 0;
    memset(valid, 0xFF, (size_t)(n + 7) / 8);
    for (int64_t row = 0; row < n; row++) {
        offsets[row] = (int32_t)(out - data);
        uint32_t start = cells[row].start, length = cells[row].size;
        const uint8_t *from = text + start;
        uint8_t *to = out;
        bool quoted = quote && start > 0 && from[-1] == quote;
        if (quoted && length > 1)
            out = undoubled(out, from, from + length, quote);
        else if (length <= 16 && (int64_t)start + 16 <= size)
            copy16(out, from), out += length;
        else
            memcpy(out, from, length), out += length;
        if (is_null(to, (size_t)(out - to), nulls, count, texts)) {
            out = to;
            valid[row >> 3] &= (uint8_t)~(1 << (row & 7));
            null++;
        }
    }
    offsets[n] = (int32_t)(out - data);
    return null;
}

/* Where the records of a text begin and end, and the line that each begins on, from 0; at most `most` of them. Blank
 * ones are left out. Returns how many there are; -1: more. */
EXPORT int64_t csv_rows(const uint8_t *text, int64_t size, uint8_t quote, int32_t *starts, int32_t *ends,
                        int32_t *lines, int64_t most) {
    uint64_t inside = 0;
    int64_t count = 0, line = 0, start = 0, start_line = 0;
    for (int64_t at = 0; at < size; at += 64) {
        Block block = load_some(text + at, size - at);
        uint64_t enclosed = in_quotes(&block, quote, &inside);
        uint64_t feeds = equal_mask(&block, '\n');
        uint64_t fed_next = feeds >> 1 | (uint64_t)(at + 64 < size && text[at + 64] == '\n') << 63;
        uint64_t line_ends = feeds | (equal_mask(&block, '\r') & ~fed_next);
        for (uint64_t left = line_ends & ~enclosed; left; left &= left - 1) {
            int bit = __builtin_ctzll(left);
            if (text[start] != '\n' && text[start] != '\r') {
                if (count == most)
                    return -1;
                starts[count] = (int32_t)start;
                ends[count] = (int32_t)(at + bit + 1);
                lines[count++] = (int32_t)start_line;
            }
            start = at + bit + 1;
            start_line = line + __builtin_popcountll(line_ends & (left ^ (left - 1)));
        }
        line += __builtin_popcountll(line_ends);
    }
    return count;
}
